// Tunnels of hardware_vtep, and BFD through them (vtep(5), table Tunnel).
//
// There is one Tunnel, in Physical_Switch.tunnels, for each locator that mappings or groups name
// and that is another host's. The agent makes it, unless a controller has made one for the same
// pair of ends, and takes away again what it made itself: it knows such a row by its UUID, which
// follows from its two ends. A controller's own row stays until the controller deletes it.
//
//   bfd_params, bfd_config_remote    controller → BFD sessions
//   bfd_config_local, bfd_status     ← what the agent and the switch say
//
// A Physical_Locator of ms_vtep has the same in its columns bfd and bfd_status. There is one
// session for each remote provider address; of several rows that ask for one a Tunnel goes first.
//
// Rows are remembered as they are heard of, so that nothing here has a cost that follows the size
// of a database; what is written is heard of in a later turn.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "northbound/operations.h"
#include "ovs-integration/ovsdb_server.h"
#include "policy/bfd.h"
#include "policy/model.h"

namespace hnv::northbound {

class VtepTunnels {
  public:
    VtepTunnels(ovs::Databases& server, const policy::Model& model, policy::Faults& faults)
        : server_(server), model_(model), faults_(faults) {}

    // Each row of hardware_vtep and ms_vtep that a commit changed.
    void on_row(std::string_view database, const ovs::RowChange& change);
    // Its rows are void, the new ones follow.
    void on_replaced(std::string_view database);

    // This host's provider addresses may have changed: looks at the model's.
    void look_at_addresses();

    // Whether the rows may ask for other sessions than they did.
    [[nodiscard]] bool sessions_due() const { return sessions_due_; }
    // The BFD sessions that the rows ask for, one for each remote address, ascending; no more than
    // policy::kMaxBfdSessions. Raises faults of rows that have none.
    [[nodiscard]] const std::vector<policy::BfdSession>& sessions();

    // Makes and takes away Tunnel rows, and writes what became of the sessions; no more often than
    // each kWriteMsec. `tunnels_due`: the locators in use may have changed.
    void write(std::span<const policy::BfdState> states, bool tunnels_due, std::int64_t now);
    // What was written may not have been taken: write() looks at all of it.
    void write_again() { tunnels_due_ = statuses_due_ = true; }
    // When write() has to be called without news; nullopt: there is no need.
    [[nodiscard]] std::optional<std::int64_t> next_write() const;

  private:
    static constexpr std::int64_t kWriteMsec = 200;
    using StringMap = std::map<std::string, std::string>;

    struct Tunnel {
        Uuid local;
        Uuid remote;
        StringMap params;
        StringMap config_remote;
        StringMap config_local;
        StringMap status;

        [[nodiscard]] bool same_wish(const Tunnel& other) const {
            return local == other.local && remote == other.remote && params == other.params &&
                   config_remote == other.config_remote;
        }
    };
    // Of ms_vtep, and only those that have either.
    struct Probed {
        IpAddress remote;
        StringMap params;
        StringMap status;
    };
    // What becomes of a row that asks for BFD.
    struct Outcome {
        std::optional<IpAddress> remote{};  // Of its session; nullopt: it has none.
        std::string problem{};
    };
    struct Asked {
        policy::RowRef row;
        IpAddress remote;
        IpAddress local;
        policy::BfdSession session;
    };
    using Pairs = std::map<std::pair<Uuid, IpAddress>, std::vector<Uuid>>;

    void on_tunnel(const ovs::RowChange& change);
    void on_locator(const ovs::RowChange& change);
    void on_ms_locator(const ovs::RowChange& change);
    [[nodiscard]] std::optional<IpAddress> address_of(const Uuid& locator) const;
    [[nodiscard]] std::optional<IpAddress> own_address(bool v4) const;

    void plan();
    [[nodiscard]] std::vector<Asked> asked();
    void ask(const policy::RowRef& row, const StringMap& params, const StringMap& config_remote,
             policy::BfdSession session, std::vector<Asked>& all);
    void refuse(const policy::RowRef& row, policy::FaultKey key, const std::string& problem);

    [[nodiscard]] StringMap status_of(const policy::RowRef& row, const StringMap& params,
                                      std::span<const policy::BfdState> states) const;
    void write_statuses(std::span<const policy::BfdState> states);
    void report_ports(std::span<const policy::BfdState> states);
    void write_tunnels();
    [[nodiscard]] Json::Value locator_of(const IpAddress& local, Operations& operations) const;
    [[nodiscard]] Pairs pairs() const;
    [[nodiscard]] std::vector<Json::Value> surplus(const std::set<Uuid>& used,
                                                   const Pairs& pairs) const;

    ovs::Databases& server_;
    const policy::Model& model_;
    policy::Faults& faults_;

    std::map<Uuid, Tunnel> tunnels_;
    std::unordered_map<Uuid, IpAddress> locators_;  // Of hardware_vtep.
    std::map<Uuid, Probed> probed_;
    std::set<IpAddress> own_;
    std::vector<policy::BfdSession> sessions_;
    std::map<policy::RowRef, Outcome> outcomes_;
    std::set<policy::RowRef> faulty_;    // By plan().
    std::set<policy::RowRef> rejected_;  // By the switch.
    bool sessions_due_ = true;
    bool tunnels_due_ = true;
    bool statuses_due_ = true;
    std::vector<policy::BfdState> told_;
    std::int64_t next_write_ = 0;
};

}  // namespace hnv::northbound
