// Any bytes as an OpenFlow message from the switch: decode() gives a value or an error. The
// header's version and length are mended first, as the connection has checked them by then.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <variant>

#include "ovs-integration/openflow.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kHeaderLength = 8;
    constexpr std::size_t kLongest = 0xffff;
    constexpr char kOpenFlow14 = 5;

    hnv::ovs::Bytes message(reinterpret_cast<const char*>(data), std::min(size, kLongest));
    message.resize(std::max(message.size(), kHeaderLength));
    message[0] = kOpenFlow14;
    message[2] = static_cast<char>(message.size() >> 8);
    message[3] = static_cast<char>(message.size());

    const auto decoded = hnv::ovs::decode(message);
    if (!decoded) {
        return 0;
    }
    if (const auto* stats = std::get_if<hnv::ovs::FlowStats>(&*decoded)) {
        // What was read back can be shown and compared.
        for (const hnv::ovs::FlowRecord& record : stats->flows) {
            if (hnv::ovs::to_text(record.flow).empty() || record.flow.key().size() < 3) {
                std::abort();
            }
        }
    }
    return 0;
}
