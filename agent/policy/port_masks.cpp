#include "policy/port_masks.h"

namespace hnv::policy {

std::vector<PortMask> masks_of(const PortRange& range) {
    std::vector<PortMask> masks;
    std::uint32_t first = range.first;
    const std::uint32_t end = static_cast<std::uint32_t>(range.last) + 1;
    while (first < end) {
        // The largest aligned block that starts here and fits.
        std::uint32_t block = first == 0 ? 0x10000U : first & (~first + 1);
        while (first + block > end) {
            block >>= 1;
        }
        masks.push_back({static_cast<std::uint16_t>(first),
                         static_cast<std::uint16_t>(0xffffU & ~(block - 1))});
        first += block;
    }
    return masks;
}

}  // namespace hnv::policy
