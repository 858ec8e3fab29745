// Asks for addresses by ARP on one interface, and counts the replies.
//
//   arp_generator INTERFACE MAC ADDRESS FIRST_TARGET TARGETS RATE SECONDS
//
// RATE requests a second, evenly paced, at most kBurst at a time, for TARGETS addresses in turn. A
// reply's latency is from the last request for its address. One line of JSON: what was sent and
// answered, latencies in microseconds, the longest time without a reply in milliseconds.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "ovs-integration/address.h"

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kBurst = 16;
constexpr std::size_t kFrameLength = 42;
constexpr std::size_t kReceiveLength = 128;
constexpr std::size_t kSenderAddressAt = 28;
constexpr std::size_t kTargetAddressAt = 38;
constexpr std::size_t kOperationAt = 21;
constexpr int kBufferBytes = 16 << 20;
constexpr Seconds kLateReplies{0.3};

using Frame = std::array<std::uint8_t, kFrameLength>;

void put32(std::span<std::uint8_t> at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
        at[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
    }
}

[[nodiscard]] std::uint32_t get32(std::span<const std::uint8_t> at) {
    return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 |
           at[3];
}

// RFC 826, over Ethernet and IPv4.
[[nodiscard]] Frame request(std::uint64_t mac, std::uint32_t address) {
    Frame frame{};
    std::fill_n(frame.begin(), 6, std::uint8_t{0xff});
    for (std::size_t i = 0; i < 6; ++i) {
        frame[6 + i] = frame[22 + i] = static_cast<std::uint8_t>(mac >> (40 - 8 * i));
    }
    constexpr std::array<std::uint8_t, 10> kHead{0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1};
    std::copy(kHead.begin(), kHead.end(), frame.begin() + 12);
    put32(std::span(frame).subspan(kSenderAddressAt), address);
    return frame;
}

class Generator {
  public:
    Generator(int socket, const Frame& frame, std::uint32_t first, std::uint32_t targets)
        : socket_(socket), first_(first), asked_(targets) {
        for (std::size_t i = 0; i < kBurst; ++i) {
            out_[i] = frame;
            out_vectors_[i] = {out_[i].data(), kFrameLength};
            in_vectors_[i] = {in_[i].data(), kReceiveLength};
            out_messages_[i].msg_hdr.msg_iov = &out_vectors_[i];
            in_messages_[i].msg_hdr.msg_iov = &in_vectors_[i];
            out_messages_[i].msg_hdr.msg_iovlen = in_messages_[i].msg_hdr.msg_iovlen = 1;
        }
    }

    void run(double rate, Seconds duration) {
        const auto begin = Clock::now();
        last_reply_ = begin;
        for (;;) {
            const Seconds passed = Clock::now() - begin;
            if (passed > duration + kLateReplies || (passed > duration && replies() >= sent_)) {
                break;
            }
            std::size_t due = 0;
            if (passed < duration) {
                const auto wanted = static_cast<std::uint64_t>(rate * passed.count()) + 1;
                due = wanted > sent_ ? std::min<std::uint64_t>(wanted - sent_, kBurst) : 0;
            }
            send(due);
            if (!receive() && due == 0) {
                const Seconds next{static_cast<double>(sent_) / rate};
                pause(passed < duration ? next - passed : Seconds(0.01));
            }
        }
        gap_ = std::max<Seconds>(gap_, begin + duration - last_reply_);
    }

    void print(Seconds duration) {
        std::sort(latencies_.begin(), latencies_.end());
        const auto at = [this](double part) {
            const auto place = static_cast<std::size_t>(part * static_cast<double>(replies()));
            return replies() == 0 ? 0.0 : latencies_[std::min(place, replies() - 1)] * 1e6;
        };
        std::printf(
            "{\"sent\": %llu, \"replies\": %zu, \"per_second\": %.0f, \"p50_us\": %.1f, "
            "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"gap_ms\": %.1f}\n",
            static_cast<unsigned long long>(sent_), replies(),
            static_cast<double>(replies()) / duration.count(), at(0.5), at(0.99), at(0.999), at(1),
            gap_.count() * 1e3);
    }

  private:
    [[nodiscard]] std::size_t replies() const { return latencies_.size(); }

    void send(std::size_t count) {
        if (count == 0) {
            return;
        }
        const auto now = Clock::now();
        for (std::size_t i = 0; i < count; ++i) {
            const auto target = static_cast<std::uint32_t>((next_ + i) % asked_.size());
            put32(std::span(out_[i]).subspan(kTargetAddressAt), first_ + target);
            asked_[target] = now;
        }
        const int taken =
            sendmmsg(socket_, out_messages_.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
        if (taken > 0) {
            sent_ += static_cast<std::uint64_t>(taken);
            next_ = (next_ + static_cast<std::size_t>(taken)) % asked_.size();
        }
    }

    // Whether anything came.
    [[nodiscard]] bool receive() {
        const int count = recvmmsg(socket_, in_messages_.data(), kBurst, MSG_DONTWAIT, nullptr);
        const auto now = Clock::now();
        for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(count, 0)); ++i) {
            const auto& frame = in_[i];
            const std::uint32_t target = get32(std::span(frame).subspan(kSenderAddressAt)) - first_;
            if (frame[kOperationAt] != 2 || target >= asked_.size() ||
                !std::equal(frame.begin(), frame.begin() + 6, out_[0].begin() + 6)) {
                continue;
            }
            latencies_.push_back(Seconds(now - asked_[target]).count());
            gap_ = std::max<Seconds>(gap_, now - last_reply_);
            last_reply_ = now;
        }
        return count > 0;
    }

    void pause(Seconds time) const {
        if (time.count() <= 0) {
            return;
        }
        const timespec limit{0, static_cast<long>(std::min(time.count(), 0.2) * 1e9)};
        pollfd waiting{socket_, POLLIN, 0};
        ppoll(&waiting, 1, &limit, nullptr);
    }

    int socket_;
    std::uint32_t first_;
    std::size_t next_ = 0;
    std::vector<Clock::time_point> asked_;
    std::uint64_t sent_ = 0;
    std::vector<double> latencies_;
    Clock::time_point last_reply_;
    Seconds gap_{0};
    std::array<Frame, kBurst> out_{};
    std::array<std::array<std::uint8_t, kReceiveLength>, kBurst> in_{};
    std::array<iovec, kBurst> out_vectors_{};
    std::array<iovec, kBurst> in_vectors_{};
    std::array<mmsghdr, kBurst> out_messages_{};
    std::array<mmsghdr, kBurst> in_messages_{};
};

// -1 with errno set.
[[nodiscard]] int open_socket(const char* interface) {
    const int made = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ARP));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ARP);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    if (made < 0 || address.sll_ifindex == 0 ||
        bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return -1;
    }
    setsockopt(made, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
    setsockopt(made, SOL_SOCKET, SO_SNDBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
    return made;
}

}  // namespace

int main(int argc, char** argv) {
    const std::span<char*> words(argv, static_cast<std::size_t>(argc));
    if (words.size() != 8) {
        std::fprintf(stderr, "see the head of arp_generator.cpp\n");
        return 2;
    }
    const auto mac = hnv::MacAddress::parse(words[2]);
    const auto address = hnv::IpAddress::parse(words[3]);
    const auto first = hnv::IpAddress::parse(words[4]);
    const auto targets = static_cast<std::uint32_t>(std::strtoul(words[5], nullptr, 10));
    const double rate = std::strtod(words[6], nullptr);
    const Seconds duration{std::strtod(words[7], nullptr)};
    if (!mac || !address || !first || targets == 0 || rate <= 0) {
        std::fprintf(stderr, "see the head of arp_generator.cpp\n");
        return 2;
    }
    const int socket = open_socket(words[1]);
    if (socket < 0) {
        std::perror(words[1]);
        return 1;
    }
    Generator generator(socket, request(mac->bits(), address->v4()), first->v4(), targets);
    generator.run(rate, duration);
    generator.print(duration);
    close(socket);
    return 0;
}
