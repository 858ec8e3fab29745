// The least that a controller can do to answer ARP: looks nothing up, uses no library.
//
//   arp_bounce MANAGEMENT_SOCKET
//
// Every ARP request that the switch sends as a packet-in (OpenFlow 1.4, 7.4.1) goes back as a reply
// by packet-out (7.3.6); all that came in one read is answered in one write. What the agent's
// responder is measured against. Runs until it is ended.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace {

constexpr std::uint8_t kVersion = 5;
constexpr std::uint8_t kHello = 0;
constexpr std::uint8_t kEchoRequest = 2;
constexpr std::uint8_t kEchoReply = 3;
constexpr std::uint8_t kSetConfig = 9;
constexpr std::uint8_t kPacketIn = 10;
constexpr std::uint8_t kPacketOut = 13;
constexpr std::size_t kHeader = 8;
constexpr std::size_t kMatchAt = 24;  // In a packet-in.
constexpr std::size_t kFrameAt = 40;  // In a packet-out with one action.
constexpr std::size_t kArpFrame = 42;
constexpr std::size_t kReadBytes = 1 << 20;

using Octets = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

[[nodiscard]] std::size_t get16(View at) { return std::size_t{at[0]} << 8 | at[1]; }

void put16(std::span<std::uint8_t> at, std::size_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}

[[nodiscard]] bool send_all(int socket, View octets) {
    while (!octets.empty()) {
        const ssize_t taken = send(socket, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (taken <= 0) {
            return false;
        }
        octets = octets.subspan(static_cast<std::size_t>(taken));
    }
    return true;
}

// The field in_port of a match: class 0x8000, field 0, four octets.
[[nodiscard]] View in_port(View match) {
    for (std::size_t at = 4; at + 8 <= match.size(); at += 4U + match[at + 3]) {
        if (match[at] == 0x80 && match[at + 1] == 0 && match[at + 2] >> 1 == 0) {
            return match.subspan(at + 4, 4);
        }
    }
    return {};
}

void answer(View message, Octets& out) {
    const std::size_t match_length = get16(message.subspan(kMatchAt + 2));
    const std::size_t frame_at = kMatchAt + (match_length + 7) / 8 * 8 + 2;
    if (frame_at + kArpFrame > message.size()) {
        return;
    }
    const View frame = message.subspan(frame_at);
    const View port = in_port(message.subspan(kMatchAt, match_length));
    if (port.empty() || frame[12] != 0x08 || frame[13] != 0x06 || frame[21] != 1) {
        return;
    }
    const std::size_t begin = out.size();
    out.resize(begin + kFrameAt + frame.size());
    const std::span<std::uint8_t> made = std::span(out).subspan(begin);
    made[0] = kVersion;
    made[1] = kPacketOut;
    put16(made.subspan(2), made.size());
    std::memset(&made[8], 0xff, 4);  // No buffer.
    std::memcpy(&made[12], port.data(), 4);
    put16(made.subspan(16), 16);  // Actions: output to IN_PORT.
    put16(made.subspan(26), 16);
    constexpr std::array<std::uint8_t, 4> kInPort{0xff, 0xff, 0xff, 0xf8};
    std::memcpy(&made[28], kInPort.data(), 4);
    const std::span<std::uint8_t> reply = made.subspan(kFrameAt);
    std::memcpy(reply.data(), frame.data(), frame.size());
    std::memcpy(&reply[0], &frame[6], 6);
    reply[6] = reply[22] = 0x02;
    reply[7] = reply[23] = 0xaa;
    std::memcpy(&reply[8], &frame[38], 4);
    std::memcpy(&reply[24], &frame[38], 4);
    reply[21] = 2;
    std::memcpy(&reply[28], &frame[38], 4);
    std::memcpy(&reply[32], &frame[22], 6);
    std::memcpy(&reply[38], &frame[28], 4);
}

void handle(View message, Octets& out) {
    if (message[1] == kEchoRequest) {
        out.insert(out.end(), message.begin(), message.end());
        out[out.size() - message.size() + 1] = kEchoReply;
    } else if (message[1] == kPacketIn && message.size() > kMatchAt + 4) {
        answer(message, out);
    }
}

// Returns when the switch has gone.
void serve(int socket) {
    Octets in(kReadBytes);
    Octets out;
    std::size_t have = 0;
    for (;;) {
        const ssize_t got = recv(socket, in.data() + have, in.size() - have, 0);
        if (got <= 0) {
            return;
        }
        have += static_cast<std::size_t>(got);
        View left(in.data(), have);
        out.clear();
        while (left.size() >= kHeader) {
            const std::size_t length = get16(left.subspan(2));
            if (length < kHeader || left.size() < length) {
                break;
            }
            handle(left.first(length), out);
            left = left.subspan(length);
        }
        std::memmove(in.data(), left.data(), left.size());
        have = left.size();
        if (!send_all(socket, out)) {
            return;
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string_view path = argc == 2 ? argv[1] : "";
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        std::fprintf(stderr, "see the head of arp_bounce.cpp\n");
        return 2;
    }
    path.copy(address.sun_path, path.size());
    const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        std::perror(argv[1]);
        return 1;
    }
    // Hello; and set-config with the whole packet, without which a switch sends none.
    constexpr std::array<std::uint8_t, 20> kBegin{kVersion, kHello,   0,          8, 0,    0,   0,
                                                  1,        kVersion, kSetConfig, 0, 12,   0,   0,
                                                  0,        2,        0,          0, 0xff, 0xff};
    if (send_all(made, kBegin)) {
        serve(made);
    }
    close(made);
    return 0;
}
