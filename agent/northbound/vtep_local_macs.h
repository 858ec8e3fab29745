// What is behind this host's ports, for other hosts: Ucast_Macs_Local and Mcast_Macs_Local of
// hardware_vtep; and for the agent itself after a restart: Learned_MAC of hnv_host, which also says
// by which port a MAC is reached.
//
// Rows are mirrored as they are committed, whoever wrote them. What has changed, in the model or in
// the rows, is compared and put right, so that a write costs what has changed, and a row that a
// controller has changed, made or deleted becomes what it should be.
//
// Thread: the policy's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "northbound/operations.h"
#include "ovs-integration/ovsdb_server.h"
#include "policy/model.h"

namespace hnv::northbound {

class VtepLocalMacs {
  public:
    // Changes are gathered for so long, so that many MACs are one transaction.
    static constexpr std::int64_t kGatherMsec = 100;
    // What was written and is not there is written again after this.
    static constexpr std::int64_t kRetryMsec = 1000;
    // A transaction is about so many MACs at most.
    static constexpr std::size_t kMost = 2000;

    explicit VtepLocalMacs(ovs::Databases& server) : server_(server) {}

    // Of every row that is committed.
    void on_row(std::string_view database, const ovs::RowChange& change);
    // All rows of the database are void (CommitListener::on_replaced()).
    void on_replaced(std::string_view database);

    // What was learned before a restart, as Learned_MAC has it.
    [[nodiscard]] std::vector<std::pair<policy::LearnedKey, policy::LearnedStatus>> remembered()
        const;

    // Brings the rows in line with the model; `now`: ovs::now_msec(). A later call goes on with
    // what did not fit. Rows of MACs that `leave` names are left as they are until look_again().
    // wait() wakes the loop when there is something to write.
    void write(policy::Model& model, std::int64_t now,
               const std::function<bool(const policy::LearnedKey&)>& leave);
    void look_again(const policy::LearnedKey& key) { due_.insert(key); }
    void wait() const;

  private:
    // Rows of Ucast_Macs_Local, Mcast_Macs_Local and Learned_MAC.
    struct Unicast {
        policy::LearnedKey key;
        bool valid = false;  // Its MAC is spelt as the agent spells it.
        std::string ipaddr;
        Uuid locator;
    };
    struct Multicast {
        Uuid subnet;
        std::string mac;
        std::string ipaddr;
        Uuid locator_set;
    };
    struct Memory {
        policy::LearnedKey key;
        bool valid = false;
        policy::LearnedStatus status;
        std::set<std::string> addresses;
    };

    void note_unicast(const ovs::RowChange& change);
    void note_multicast(const ovs::RowChange& change);
    void note_memory(const ovs::RowChange& change);
    void note_locator(const ovs::RowChange& change);
    void write_unicast(const policy::LearnedKey& key,
                       const std::optional<policy::LearnedStatus>& wanted, Operations& out);
    void write_memory(const policy::LearnedKey& key,
                      const std::optional<policy::LearnedStatus>& wanted, Operations& out);
    void write_multicast(const Uuid& subnet, const std::optional<IpAddress>& wanted,
                         Operations& out);
    // The row of the address, made in this transaction if there is none.
    [[nodiscard]] Json::Value locator_of(const IpAddress& pa, Operations& out);

    ovs::Databases& server_;
    std::unordered_map<Uuid, Unicast> unicasts_;
    std::multimap<policy::LearnedKey, Uuid> unicasts_by_key_;
    std::unordered_map<Uuid, Memory> memories_;
    std::multimap<policy::LearnedKey, Uuid> memories_by_key_;
    std::unordered_map<Uuid, Multicast> multicasts_;
    std::multimap<Uuid, Uuid> multicasts_by_subnet_;
    std::unordered_map<Uuid, IpAddress> locators_;
    std::map<IpAddress, Uuid> locators_by_pa_;
    std::unordered_map<Uuid, std::vector<Uuid>> locator_sets_;
    std::set<Uuid> subnets_;  // Rows of Logical_Switch.
    // What is to be compared.
    std::set<policy::LearnedKey> due_;
    std::set<Uuid> due_subnets_;
    // What was written last, and is compared once more.
    std::set<policy::LearnedKey> written_;
    std::set<Uuid> written_subnets_;
    std::int64_t next_write_ = 0;
    std::int64_t next_retry_ = 0;
    std::map<IpAddress, Json::Value> new_locators_;  // Of the transaction in the making.
};

}  // namespace hnv::northbound
