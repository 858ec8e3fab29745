// The switch's end of an OpenFlow 1.4 connection, played by a test: a listening unix socket and
// the few messages that the responder and the southbound exchange when they begin (ONF TS-012
// section 7; packet-ins as Open vSwitch's nicira-ext.h has them). Every wait has a deadline, and
// throws when it passes.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hnv::test {

using Octets = std::vector<std::uint8_t>;

inline void put_number(Octets& out, std::uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) {
        out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
}

inline std::uint64_t get_number(std::span<const std::uint8_t> in, std::size_t at, unsigned bytes) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : in.subspan(at, bytes)) {
        value = value << 8 | byte;
    }
    return value;
}

inline Octets openflow_message(std::uint8_t type, std::uint32_t xid, const Octets& body) {
    Octets message;
    put_number(message, 5, 1);  // OpenFlow 1.4
    put_number(message, type, 1);
    put_number(message, 8 + body.size(), 2);
    put_number(message, xid, 4);
    message.insert(message.end(), body.begin(), body.end());
    return message;
}

struct PacketInFields {
    Octets packet;
    std::uint32_t in_port = 7;
    std::uint32_t vsid = 5001;      // In reg0.
    std::uint32_t source = 7;       // In reg1.
    std::uint32_t source_vlan = 0;  // In reg6.
    std::uint32_t reason = 0;       // In reg8.
    std::uint32_t mtu = 0;          // In reg9.
    Octets userdata{1};
};

// NXT_PACKET_IN2: properties of type, length and value, each padded to 8 bytes.
inline Octets packet_in_message(const PacketInFields& fields) {
    Octets body;
    put_number(body, 0x2320, 4);  // The Nicira extensions' experimenter id,
    put_number(body, 30, 4);      // and their NXT_PACKET_IN2.
    const auto property = [&body](std::uint16_t type, const Octets& value) {
        put_number(body, type, 2);
        put_number(body, 4 + value.size(), 2);
        body.insert(body.end(), value.begin(), value.end());
        body.resize((body.size() + 7) / 8 * 8, 0);
    };
    Octets metadata;
    put_number(metadata, 0x80000004U, 4);  // OXM in_port
    put_number(metadata, fields.in_port, 4);
    // As Open vSwitch does it: of the registers, those that are not zero.
    const auto reg = [&metadata](unsigned number, std::uint32_t value) {
        if (value != 0) {
            put_number(metadata, 0x00010004U | number << 9, 4);  // NXM reg<number>
            put_number(metadata, value, 4);
        }
    };
    reg(0, fields.vsid);
    reg(1, fields.source);
    reg(6, fields.source_vlan);
    reg(8, fields.reason);
    reg(9, fields.mtu);
    property(0, fields.packet);
    property(6, metadata);
    property(7, fields.userdata);
    return openflow_message(4, 0, body);
}

class FakeSwitch {
  public:
    FakeSwitch() : directory_(make_directory()) {
        std::signal(SIGPIPE, SIG_IGN);  // As in the agent: a peer may hang up.
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_, 1) != 0) {
            throw std::runtime_error("can't listen on " + path());
        }
    }
    ~FakeSwitch() {
        hang_up();
        ::close(listener_);
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    FakeSwitch(const FakeSwitch&) = delete;
    FakeSwitch& operator=(const FakeSwitch&) = delete;

    [[nodiscard]] std::string target() const { return "unix:" + path(); }

    // Takes a connection and agrees on OpenFlow 1.4.
    void accept() {
        hang_up();
        wait_readable(listener_);
        connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        send(openflow_message(kHello, 1, {}));
        if (receive()[1] != kHello) {
            throw std::runtime_error("no hello");
        }
    }

    // The same, and reads what the responder asks for first: returns the types of these messages.
    std::vector<std::uint8_t> take_connection() {
        accept();
        std::vector<std::uint8_t> types;
        while (types.size() < 3) {
            types.push_back(receive()[1]);
        }
        return types;
    }

    // Reads on until the other end breaks the connection.
    void wait_for_end() const {
        std::uint8_t ignored[4096];
        do {
            wait_readable(connection_);
        } while (::recv(connection_, ignored, sizeof ignored, 0) > 0);
    }

    void hang_up() {
        if (connection_ >= 0) {
            ::close(std::exchange(connection_, -1));
        }
    }

    void send(const Octets& message) const {
        for (std::size_t sent = 0; sent < message.size();) {
            const auto count =
                ::send(connection_, message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
            if (count < 0) {
                throw std::runtime_error("send failed");
            }
            sent += static_cast<std::size_t>(count);
        }
    }

    // The next message; echo requests are answered on the way.
    Octets receive() const {
        for (;;) {
            Octets message = read_exactly(8);
            const Octets body = read_exactly(get_number(message, 2, 2) - 8);
            message.insert(message.end(), body.begin(), body.end());
            if (message[1] != kEchoRequest) {
                return message;
            }
            send(openflow_message(kEchoReply, static_cast<std::uint32_t>(get_number(message, 4, 4)),
                                  body));
        }
    }

    struct PacketOut {
        std::uint32_t out_port = 0;
        Octets packet;
    };
    PacketOut receive_packet_out() const {
        const Octets message = receive();
        if (message[1] != kPacketOut) {
            throw std::runtime_error("not a packet-out: " + std::to_string(message[1]));
        }
        // One action, an output (ONF TS-012 sections 7.2.6.2 and 7.3.6).
        if (get_number(message, 16, 2) != 16 || get_number(message, 24, 2) != 0) {
            throw std::runtime_error("the packet-out is not one output action");
        }
        return {static_cast<std::uint32_t>(get_number(message, 28, 4)),
                Octets(message.begin() + 40, message.end())};
    }

  private:
    static constexpr std::uint8_t kHello = 0;
    static constexpr std::uint8_t kEchoRequest = 2;
    static constexpr std::uint8_t kEchoReply = 3;
    static constexpr std::uint8_t kPacketOut = 13;
    static constexpr int kDeadlineMsec = 10000;

    static std::string make_directory() {
        std::string name = std::filesystem::temp_directory_path() / "hnv-test-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("can't make a directory like " + name);
        }
        return name;
    }

    [[nodiscard]] std::string path() const { return directory_ + "/br-hnv.mgmt"; }

    static void wait_readable(int fd) {
        pollfd ready{fd, POLLIN, 0};
        if (::poll(&ready, 1, kDeadlineMsec) != 1) {
            throw std::runtime_error("nothing came in time");
        }
    }

    Octets read_exactly(std::size_t length) const {
        Octets bytes(length);
        for (std::size_t got = 0; got < length;) {
            wait_readable(connection_);
            const auto count = ::recv(connection_, bytes.data() + got, length - got, 0);
            if (count <= 0) {
                throw std::runtime_error("the connection ended");
            }
            got += static_cast<std::size_t>(count);
        }
        return bytes;
    }

    std::string directory_;
    int listener_ = -1;
    int connection_ = -1;
};

}  // namespace hnv::test
