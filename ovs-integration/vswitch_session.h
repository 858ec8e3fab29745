// A connection to the Open_vSwitch database with at most one transaction outstanding: what the
// clients of that database in this folder have in common. Not for outside of this folder.
//
// A transaction that was refused or overtaken holds the client back until the database changes or a
// second has passed, so that a wish that can't be met costs next to nothing.
//
// Thread: one thread, the one whose poll loop calls run() and wait().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "ovs-integration/vswitch_shim.h"

namespace hnv::ovs {

[[nodiscard]] inline std::string_view text_of(const char* value) {
    return value == nullptr ? std::string_view() : std::string_view(value);
}

class VswitchSession {
  public:
    // `purpose` stands in the database's log, and in front of an error: "configure bridge br-hnv".
    VswitchSession(const std::string& remote, std::string purpose);

    // Returns true when the caller has to look: at news, at a transaction's end, or to try again.
    [[nodiscard]] bool run();
    void wait();

    // The connection stands, and the database has been read at least once.
    [[nodiscard]] bool connected() const { return connected_; }
    [[nodiscard]] bool has_been_read() const;
    // NULL: there is no root row.
    [[nodiscard]] const ovsrec_open_vswitch* root() const;

    // Whether a transaction may be begun: connected, none outstanding, not held back.
    [[nodiscard]] bool may_edit() const;
    // What the caller wishes has changed, or nothing is to be done: the last refusal is history.
    void forget_refusal() { held_back_ = false; }
    // Precondition: may_edit().
    [[nodiscard]] ovsdb_idl_txn* begin();
    // Sends what was put together. Rows must not be looked at before it: they show the edits.
    void commit() { settle(); }
    // Why the last transaction was refused, for a person; empty when it was not.
    [[nodiscard]] const std::string& error() const { return error_; }

  private:
    struct Close {
        void operator()(hnv_vswitch* vswitch) const { hnv_vswitch_close(vswitch); }
    };
    struct Abandon {
        void operator()(ovsdb_idl_txn* txn) const { hnv_txn_abandon(txn); }
    };

    [[nodiscard]] bool retry_is_due() const;
    // Moves the outstanding transaction on; true when it has come to its end.
    bool settle();
    void fail(std::string error);

    std::string purpose_;
    std::unique_ptr<hnv_vswitch, Close> vswitch_;
    std::unique_ptr<ovsdb_idl_txn, Abandon> txn_;
    bool connected_ = false;
    unsigned seen_seqno_ = 0;
    unsigned txn_seqno_ = 0;     // The replica's when the transaction was put together.
    bool held_back_ = false;     // The last attempt failed: wait for news, or for retry_at_.
    std::int64_t retry_at_ = 0;  // now_msec()
    std::string error_;
};

}  // namespace hnv::ovs
