#include "ovs-integration/openflow_connection.h"

#include <utility>

#include "ovs-integration/flow_codec.h"

namespace hnv::ovs {

namespace {

// Seconds without a word from the switch before it is asked, and between attempts to connect.
constexpr int kProbeSeconds = 30;
constexpr int kMaxBackoffSeconds = 1;

struct RconnDeleter {
    void operator()(rconn* connection) const { rconn_destroy(connection); }
};
struct CounterDeleter {
    void operator()(rconn_packet_counter* counter) const { rconn_packet_counter_destroy(counter); }
};

}  // namespace

struct OpenFlowConnection::Impl {
    // The counter is released after the connection, whose queued messages refer to it.
    std::unique_ptr<rconn_packet_counter, CounterDeleter> queue{rconn_packet_counter_create()};
    std::unique_ptr<rconn, RconnDeleter> connection{
        rconn_create(kProbeSeconds, kMaxBackoffSeconds, 0, 1U << kOpenFlowVersion)};
    std::string target;
    std::string name;
    bool begun = false;
};

OpenFlowConnection::OpenFlowConnection(const std::string& target, const std::string& name)
    : impl_(std::make_unique<Impl>()) {
    impl_->target = target;
    impl_->name = name;
}

OpenFlowConnection::~OpenFlowConnection() = default;

// Not before somebody is there to go on: the switch drops who doesn't say hello within a second,
// and the next attempt would come a second later.
void OpenFlowConnection::run() {
    if (!std::exchange(impl_->begun, true)) {
        rconn_connect(impl_->connection.get(), impl_->target.c_str(), impl_->name.c_str());
    }
    rconn_run(impl_->connection.get());
}

void OpenFlowConnection::wait() {
    rconn_run_wait(impl_->connection.get());
    rconn_recv_wait(impl_->connection.get());
}

bool OpenFlowConnection::connected() const { return rconn_is_connected(impl_->connection.get()); }

std::uint64_t OpenFlowConnection::generation() const {
    return rconn_get_connection_seqno(impl_->connection.get());
}

void OpenFlowConnection::reconnect() { rconn_reconnect(impl_->connection.get()); }

void OpenFlowConnection::send(const Bytes& message) {
    // rconn_send() takes the buffer over whatever its outcome.
    std::ignore = rconn_send(impl_->connection.get(),
                             ofpbuf_clone_data(message.data(), message.size()), impl_->queue.get());
}

std::size_t OpenFlowConnection::queued() const {
    return rconn_packet_counter_n_bytes(impl_->queue.get());
}

std::optional<Bytes> OpenFlowConnection::receive() {
    while (const OfpbufPtr message{rconn_recv(impl_->connection.get())}) {
        const auto* header = static_cast<const ofp_header*>(message->data);
        ofptype type{};
        if (ofptype_decode(&type, header) == 0 && type == OFPTYPE_ECHO_REQUEST) {
            std::ignore =
                rconn_send(impl_->connection.get(), ofputil_encode_echo_reply(header), nullptr);
            continue;
        }
        return Bytes(static_cast<const char*>(message->data), message->size);
    }
    return std::nullopt;
}

}  // namespace hnv::ovs
