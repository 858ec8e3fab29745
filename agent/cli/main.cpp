// hnvctl: wiring of the process to hnv::cli::run(), nothing else.
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "ovs-integration/ovsdb_client.h"

int main(int argc, char* argv[]) {
    try {
        const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
        hnv::ovs::initialize_client_program("hnvctl");
        const bool colour = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
        const int status =
            hnv::cli::run(words, HNV_VERSION, {std::cin, std::cout, std::cerr, colour});
        std::cout.flush();
        if (!std::cout) {
            std::cerr << "hnvctl: cannot write to standard output\n";
            return hnv::cli::kExitFailure;
        }
        return status;
    } catch (const std::exception& exception) {
        // Out of memory, or a defect of ours.
        std::cerr << "hnvctl: " << exception.what() << "\n";
        return hnv::cli::kExitFailure;
    }
}
