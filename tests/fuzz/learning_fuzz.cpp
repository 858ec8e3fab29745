// Any bytes as a packet-in of Table::Learn: the parser stays in its view, and what it tells is of
// the bytes. The first byte says how many bytes of userdata follow.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "learning/sighting.h"
#include "responder/frame.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): one file, one function.

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> bytes(data, data + size);
    if (bytes.empty()) {
        return 0;
    }
    const std::size_t userdata = std::min<std::size_t>(bytes.front(), size - 1);
    const auto middle = bytes.begin() + 1 + static_cast<std::ptrdiff_t>(userdata);
    ovs::PacketIn packet_in;
    packet_in.userdata.assign(bytes.begin() + 1, middle);
    packet_in.packet.assign(middle, bytes.end());
    packet_in.registers = {42, 7, 0, 0, 0, 0, 0x100a};
    const auto sighting = learning::read(packet_in);
    if (!sighting) {
        return 0;
    }
    require(sighting->ofport == 7 && sighting->vlan == 10);
    require(responder::is_one_station(sighting->mac));
    require(std::equal(sighting->mac.bytes.begin(), sighting->mac.bytes.end(),
                       packet_in.packet.begin() + 6));
    if (sighting->address) {
        const auto& address = sighting->address->bytes();
        // Of IPv4 the last four bytes are the address.
        const auto first = address.begin() + (sighting->address->is_v4() ? 12 : 0);
        require(std::search(packet_in.packet.begin() + 14, packet_in.packet.end(), first,
                            address.end()) != packet_in.packet.end());
        require(*sighting->address != IpAddress{});
    }
    return 0;
}
