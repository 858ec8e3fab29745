#include "ovs-integration/vswitch_session.h"

#include <utility>

#include "ovs-integration/event_loop.h"

namespace hnv::ovs {
namespace {

constexpr std::int64_t kRetryMsec = 1000;

}  // namespace

VswitchSession::VswitchSession(const std::string& remote, std::string purpose)
    : purpose_(std::move(purpose)), vswitch_(hnv_vswitch_open(remote.c_str())) {}

bool VswitchSession::run() {
    hnv_vswitch_run(vswitch_.get());
    const bool settled = settle();
    const unsigned seqno = hnv_vswitch_seqno(vswitch_.get());
    const bool connected = seqno != 0 && hnv_vswitch_is_connected(vswitch_.get());
    const bool news = seqno != seen_seqno_ || connected != connected_;
    seen_seqno_ = seqno;
    connected_ = connected;
    return news || settled || retry_is_due();
}

void VswitchSession::wait() {
    hnv_vswitch_wait(vswitch_.get());
    if (txn_ != nullptr) {
        hnv_txn_wait(txn_.get());
    } else if (held_back_ && connected_) {
        wake_at(retry_at_);
    }
}

bool VswitchSession::has_been_read() const { return seen_seqno_ != 0; }

const ovsrec_open_vswitch* VswitchSession::root() const { return hnv_vswitch_root(vswitch_.get()); }

bool VswitchSession::may_edit() const {
    return connected_ && txn_ == nullptr &&
           (!held_back_ || seen_seqno_ != txn_seqno_ || retry_is_due());
}

ovsdb_idl_txn* VswitchSession::begin() {
    held_back_ = false;
    txn_seqno_ = seen_seqno_;
    txn_.reset(hnv_txn_begin(vswitch_.get(), ("hnv-agent: " + purpose_).c_str()));
    return txn_.get();
}

bool VswitchSession::retry_is_due() const {
    return held_back_ && connected_ && now_msec() >= retry_at_;
}

bool VswitchSession::settle() {
    if (txn_ == nullptr) {
        return false;
    }
    switch (hnv_txn_commit(txn_.get())) {
        case HNV_TXN_PENDING:
            return false;
        case HNV_TXN_DONE:
            held_back_ = false;
            error_.clear();
            break;
        case HNV_TXN_RETRY:
            fail({});
            break;
        case HNV_TXN_REFUSED:
            fail(purpose_ + ": " + std::string(text_of(hnv_txn_error(txn_.get()))));
            break;
    }
    txn_.reset();
    return true;
}

void VswitchSession::fail(std::string error) {
    held_back_ = true;
    retry_at_ = now_msec() + kRetryMsec;
    error_ = std::move(error);
}

}  // namespace hnv::ovs
