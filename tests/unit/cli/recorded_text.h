// What ovs-vswitchd 3.1.0 has printed of a host with the ports app (10.1.1.11), cache (10.1.2.13)
// and other-app, recorded.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace hnv::cli::test {

inline std::string recorded(const std::string& name) {
    std::ifstream file(std::string(HNV_TEST_DATA_DIR) + "/recorded/" + name + ".txt");
    if (!file) {
        throw std::runtime_error("no recorded text " + name);
    }
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace hnv::cli::test
