// A test with a real bridge and a Southbound that programs it from flows given by owner.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ovs-integration/openflow_connection.h"
#include "southbound/southbound.h"
#include "support/command.h"
#include "support/open_vswitch.h"

namespace hnv::test {

struct InstalledFlow {
    double duration = 0;
    std::uint64_t packets = 0;
};

class SwitchFixture : public testing::Test {
  protected:
    void SetUp() override {
        std::signal(SIGPIPE, SIG_IGN);  // As the agent has it: a switch may close a connection.
        if (!enter_new_network_namespace()) {
            GTEST_SKIP() << "needs the right to make a network namespace";
        }
        ovs_.emplace();
        ovs_->start_switch();
        ovs_->vsctl({"add-br", "br-hnv", "--", "set", "bridge", "br-hnv", "datapath_type=netdev",
                     "fail_mode=secure", "protocols=OpenFlow10,OpenFlow14",
                     "other_config:disable-in-band=true"});
        restart();
    }

    // A new agent, as far as the switch can tell.
    void restart() {
        southbound_.reset();
        connection_ = std::make_unique<ovs::OpenFlowConnection>(management(), "test");
        southbound_ = std::make_unique<southbound::Southbound>(
            *connection_, [this](const policy::ObjectId& id) {
                const auto entry = desired_.find(id);
                return entry == desired_.end() ? pipeline::FlowSet{} : entry->second;
            });
    }

    // Applies the objects and waits for the switch.
    [[nodiscard]] bool confirm(const std::vector<policy::ObjectId>& objects,
                               std::int64_t limit_msec = 30000) {
        const std::uint64_t number = southbound_->apply(objects);
        southbound_->start();
        return until([&] { return southbound_->confirmed() >= number; }, limit_msec);
    }
    [[nodiscard]] bool confirm_all() {
        std::vector<policy::ObjectId> objects;
        for (const auto& [id, set] : desired_) {
            objects.push_back(id);
        }
        return confirm(objects);
    }
    [[nodiscard]] bool until(const std::function<bool()>& condition,
                             std::int64_t limit_msec = 30000) {
        return run_until(*southbound_, condition, limit_msec);
    }
    [[nodiscard]] bool audit() {
        const std::uint64_t before = southbound_->counters().read_backs;
        southbound_->audit();
        return until([&] {
            return southbound_->counters().read_backs > before &&
                   southbound_->state() == southbound::State::Idle && confirm({});
        });
    }

    [[nodiscard]] std::string management() const { return "unix:" + ovs_->file("br-hnv.mgmt"); }
    std::string ofctl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(),
                         {"ovs-ofctl", "--timeout=20", "-O", "OpenFlow14", "--no-names"});
        const CommandOutcome outcome = run_command(arguments);
        EXPECT_TRUE(outcome.succeeded) << outcome.output;
        return outcome.output;
    }

    // The tracked connections of a zone, a line for each.
    std::vector<std::string> connections(std::uint16_t zone) {
        const CommandOutcome outcome =
            run_command({"ovs-appctl", "-t", ovs_->file("ovs-vswitchd.ctl"), "dpctl/dump-conntrack",
                         "zone=" + std::to_string(zone)});
        EXPECT_TRUE(outcome.succeeded) << outcome.output;
        return lines_of(outcome.output);
    }

    // What ovs-ofctl sees, by the flow's text in the form of ovs::to_text().
    std::map<std::string, InstalledFlow> installed() {
        std::map<std::string, InstalledFlow> flows;
        for (const std::string& line : lines_of(ofctl({"dump-flows", management()}))) {
            const auto table = line.find("table=");
            const auto packets = line.find("n_packets=");
            const auto match = line.find(", ", line.find("n_bytes="));
            if (table == std::string::npos) {
                continue;
            }
            const std::string text = line.substr(table, packets - table) + line.substr(match + 2);
            flows[text] = {std::stod(line.substr(line.find("duration=") + 9)),
                           std::stoull(line.substr(packets + 10))};
        }
        return flows;
    }
    std::set<std::string> installed_texts() {
        std::set<std::string> texts;
        for (const auto& [text, flow] : installed()) {
            texts.insert(text);
        }
        return texts;
    }
    [[nodiscard]] std::set<std::string> desired_texts() const {
        std::set<std::string> texts;
        for (const auto& [id, set] : desired_) {
            for (const ovs::Flow& flow : set.flows) {
                texts.insert(ovs::to_text(flow));
            }
        }
        return texts;
    }

    std::optional<OpenVswitch> ovs_;
    std::map<policy::ObjectId, pipeline::FlowSet> desired_;
    std::unique_ptr<ovs::OpenFlowConnection> connection_;
    std::unique_ptr<southbound::Southbound> southbound_;
};

}  // namespace hnv::test
