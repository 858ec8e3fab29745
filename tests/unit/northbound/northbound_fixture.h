// The readers and writers of northbound/ on a real OVSDB server with the real schemas, in a
// directory of its own. What a test writes is committed, heard and put into the model as the agent
// does it; only the switch is missing.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "northbound/hardware_vtep_reader.h"
#include "northbound/hnv_host_reader.h"
#include "northbound/ms_darv_reader.h"
#include "northbound/ms_firewall_reader.h"
#include "northbound/ms_service_insertion_reader.h"
#include "northbound/ms_vtep_reader.h"
#include "northbound/own_rows.h"
#include "northbound/sequence.h"
#include "ovs-integration/ovsdb_server.h"
#include "policy/model.h"
#include "schema/schemas_embedded.h"
#include "support/policy_builder.h"

namespace hnv::northbound {

// An insert operation; `columns` as in {"name":"a"} without the braces. `name` is what other
// operations of the same transaction call the row.
inline std::string insert(const std::string& table, const std::string& columns,
                          const std::string& name = "") {
    return R"({"op":"insert","table":")" + table + R"(","row":{)" + columns + "}" +
           (name.empty() ? "" : R"(,"uuid-name":")" + name + '"') + "}";
}
// Every row of the table.
inline std::string update(const std::string& table, const std::string& columns) {
    return R"({"op":"update","table":")" + table + R"(","where":[],"row":{)" + columns + "}}";
}
inline std::string erase(const std::string& table) {
    return R"({"op":"delete","table":")" + table + R"(","where":[]})";
}
// Refers, from Physical_Switch, to a port that the same transaction inserts.
inline std::string attach(const std::string& name) {
    return R"({"op":"mutate","table":"Physical_Switch","where":[],"mutations":)"
           R"([["ports","insert",["named-uuid",")" +
           name + R"("]]]})";
}

class NorthboundTest : public testing::Test, public ovs::CommitListener {
  protected:
    NorthboundTest() {
        std::string name = std::filesystem::temp_directory_path() / "hnv-northbound-XXXXXX";
        directory_ = mkdtemp(name.data());
        start();
    }
    ~NorthboundTest() override {
        stop();
        std::filesystem::remove_all(directory_);
    }

    // A fresh agent on what is in the files.
    void start() {
        stop();
        server_ = std::make_unique<ovs::OvsdbServer>();
        policy_ = std::make_unique<test::PolicyBuilder>();
        sequences_ = std::make_unique<Sequences>(*server_);
        const auto sink = [this](std::string_view database, const SequenceRow& row) {
            sequences_->on_row(database, row);
        };
        readers_.push_back(std::make_unique<MsVtepReader>(policy_->model, policy_->faults, sink));
        readers_.push_back(
            std::make_unique<MsFirewallReader>(policy_->model, policy_->faults, sink));
        readers_.push_back(
            std::make_unique<MsServiceInsertionReader>(policy_->model, policy_->faults, sink));
        readers_.push_back(std::make_unique<HnvHostReader>(policy_->model, policy_->faults, sink));
        readers_.push_back(
            std::make_unique<HardwareVtepReader>(policy_->model, policy_->faults, sink));
        readers_.push_back(std::make_unique<MsDarvReader>(policy_->model, policy_->faults, sink));
        for (const char* database : {"hnv_host", "ms_darv", "ms_firewall", "ms_service_insertion",
                                     "hardware_vtep", "ms_vtep"}) {
            const Status opened =
                server_->open(schema::text(database), directory_ + "/" + database + ".db");
            ASSERT_TRUE(opened) << opened.error().message();
        }
        ensure_own_rows(*server_, "host1");
        server_->subscribe(*this);
        run();
    }
    void stop() {
        readers_.clear();
        sequences_.reset();
        server_.reset();  // Its locks on the files go.
    }

    void on_row(std::string_view database, const ovs::RowChange& change) override {
        for (const auto& reader : readers_) {
            if (reader->database() == database) {
                reader->on_row(change);
            }
        }
    }
    void on_commit(std::string_view database) override {
        ++commits_[std::string(database)];
        (void)policy_->commit();
        sequences_->on_applied(database, ++applied_);
    }
    void on_replaced(std::string_view database) override { ADD_FAILURE() << database; }

    // The server's turn: what was written is heard.
    void run() { server_->run(); }
    void write(const std::string& database, const std::vector<std::string>& operations) {
        std::string json;
        for (const std::string& operation : operations) {
            json += (json.empty() ? "[" : ",") + operation;
        }
        const Status written = server_->write(database, json + "]");
        ASSERT_TRUE(written) << written.error().message();
        run();
    }
    void vtep(const std::vector<std::string>& operations) { write("ms_vtep", operations); }
    void firewall(const std::vector<std::string>& operations) { write("ms_firewall", operations); }
    void hardware(const std::vector<std::string>& operations) {
        write("hardware_vtep", operations);
    }
    void services(const std::vector<std::string>& operations) {
        write("ms_service_insertion", operations);
    }
    void darv(const std::vector<std::string>& operations) { write("ms_darv", operations); }
    void host(const std::vector<std::string>& operations) { write("hnv_host", operations); }

    // A row: the string columns that were asked for, and its status if it has such a column.
    struct Line {
        Uuid uuid;
        std::map<std::string, std::string> strings;
        std::map<std::string, std::string> status;
    };
    std::vector<Line> rows(const std::string& database, const std::string& table,
                           const std::vector<const char*>& columns = {}) const {
        std::vector<Line> lines;
        server_->for_each_row(database, table, [&](const ovs::Row& row) {
            Line line{row.uuid(), {}, {}};
            for (const char* column : columns) {
                line.strings[column] = row.string(column);
            }
            for (const auto& [key, value] : row.string_map("status")) {
                line.status.emplace(key, value);
            }
            lines.push_back(std::move(line));
        });
        return lines;
    }
    std::int64_t integer(const std::string& database, const std::string& table,
                         const char* column) const {
        std::int64_t value = -1;
        server_->for_each_row(database, table, [&](const ovs::Row& row) {
            value = row.integer(column).value_or(-1);
        });
        return value;
    }

    // The keys of all faults; and the message of the only one with this key, or "".
    std::vector<std::string> fault_keys() const {
        std::vector<std::string> keys;
        for (const auto& [id, message] : policy_->faults.all()) {
            keys.emplace_back(policy::to_string(id.second));
        }
        return keys;
    }
    std::string fault(policy::FaultKey key) const {
        std::string found;
        for (const auto& [id, message] : policy_->faults.all()) {
            if (id.second == key) {
                EXPECT_EQ(found, "");
                found = message;
            }
        }
        return found;
    }
    std::vector<policy::MappingStatus> mappings() const {
        std::vector<policy::MappingStatus> found;
        policy_->model.for_each_mapping(
            [&](const policy::MappingStatus& mapping) { found.push_back(mapping); });
        return found;
    }

    // A subnet and a mapping in it, in one transaction; columns of the mapping in JSON.
    void map(const std::string& mac, const std::string& ca,
             const std::string& locator = R"("dst_ip":"192.168.2.20",)"
                                          R"("encapsulation_type":"vxlan_over_ipv4")") {
        vtep({insert("Logical_Switch", R"("name":"5001","tunnel_key":5001)", "subnet"),
              insert("Physical_Locator", locator, "locator"),
              insert("Ucast_Macs_Remote", R"("MAC":")" + mac + R"(","ipaddr":")" + ca +
                                              R"(","mapping_type":"default",)" +
                                              R"("logical_switch":["named-uuid","subnet"],)"
                                              R"("locator":["named-uuid","locator"])")});
    }
    // An allow-all rule with other columns than the usual ones after a comma.
    void add_rule(const std::string& more, const std::string& id = "r1") {
        firewall({insert("FW_Rules", R"("rule_id":")" + id +
                                         R"(","vnic_id":"p1",)"
                                         R"("action":"Allow","direction":"Inbound",)"
                                         R"("rule_state":"Enabled","logging_state":"Disabled",)"
                                         R"("rule_type":"RuleWithControllerPriority")" +
                                         more)});
    }

    std::string directory_;
    std::unique_ptr<ovs::OvsdbServer> server_;
    std::unique_ptr<test::PolicyBuilder> policy_;
    std::unique_ptr<Sequences> sequences_;
    std::vector<std::unique_ptr<Reader>> readers_;
    std::map<std::string, std::size_t> commits_;
    std::uint64_t applied_ = 0;
};

}  // namespace hnv::northbound
