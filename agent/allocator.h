// The allocator of a release build: jemalloc. A load makes millions of small objects, and the C
// library's spends a third of a restart on them; what a load leaves is given back by a thread of
// jemalloc's.
#pragma once

namespace hnv {

// To be called once the process is what it will be: a fork leaves jemalloc's threads behind. Does
// nothing in a build with a sanitizer, which brings its own allocator.
void tune_allocator();

}  // namespace hnv
