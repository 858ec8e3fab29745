// One OpenFlow connection to the local switch, made again whenever it breaks.
//
// Thread: belongs to the thread whose poll loop calls run() and wait(). Two connections may live in
// two threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "ovs-integration/flow.h"

namespace hnv::ovs {

class OpenFlowConnection {
  public:
    // `target`: e.g. "unix:/run/openvswitch/br-hnv.mgmt". `name` is for the log.
    OpenFlowConnection(const std::string& target, const std::string& name);
    ~OpenFlowConnection();
    OpenFlowConnection(const OpenFlowConnection&) = delete;
    OpenFlowConnection& operator=(const OpenFlowConnection&) = delete;

    void run();
    void wait();

    [[nodiscard]] bool connected() const;
    // Grows with each connection made: a change says that whatever was sent and not acknowledged
    // has an unknown outcome.
    [[nodiscard]] std::uint64_t generation() const;

    // Breaks the connection and makes another.
    void reconnect();

    // Queues a message; dropped when not connected (the generation tells).
    void send(const Bytes& message);
    // Bytes queued and not yet handed to the kernel.
    [[nodiscard]] std::size_t queued() const;
    // The next message received, whole.
    [[nodiscard]] std::optional<Bytes> receive();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hnv::ovs
