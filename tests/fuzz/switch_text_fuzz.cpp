// Any bytes as what ovs-vswitchd prints: a trace, its datapath's flows and ports. All of it is read
// to the end, whatever it says, and a trace that is understood has a verdict.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cli/datapath_text.h"
#include "cli/flow_words.h"
#include "cli/host_facts.h"
#include "cli/operator_views.h"
#include "cli/verdict.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): one file, one function.

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

cli::HostFacts host() {
    cli::HostFacts facts;
    facts.bridge = "br-hnv";
    facts.ports = {{"app", "app", 3, MacAddress{}, {}, {}, "active", ""}};
    return facts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static const cli::HostFacts facts = host();
    const cli::SwitchPorts ports = cli::parse_dpif_show(text, facts.bridge);
    const cli::Names names = cli::names_of(facts, ports);
    if (const auto trace = cli::parse_trace(text)) {
        const Json::Value result = cli::explain(*trace, {facts, ports, names});
        require(result["verdict"].isString() && result["sentence"].isString());
        require(!cli::process_tuples_view(result, true).empty());
    }
    for (const cli::DatapathFlow& flow : cli::parse_datapath_flows(text)) {
        (void)flow.field("ipv4");
        (void)cli::emissions(flow.actions);
        (void)cli::action_words(flow.actions, [](auto port) { return std::string(port); });
    }
    require(!cli::condition_words(text, names, 3).empty());
    require(!cli::action_list_words(text, names).empty());
    return 0;
}
