#include "allocator.h"

#ifdef HNV_JEMALLOC
#include <jemalloc/jemalloc.h>

#include "ovs-integration/log.h"

// Read by jemalloc before main(). Freed pages go back to the system within so long, whether or not
// anything happens meanwhile.
const char* malloc_conf = "dirty_decay_ms:3000,muzzy_decay_ms:0";
#endif

namespace hnv {

void tune_allocator() {
#ifdef HNV_JEMALLOC
    bool enabled = true;
    if (mallctl("background_thread", nullptr, nullptr, &enabled, sizeof enabled) != 0) {
        log::warn("main", "memory that a load leaves is given back only when there is another");
    }
#endif
}

}  // namespace hnv
