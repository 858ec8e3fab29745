#include "ovs-integration/thread.h"

#include <pthread.h>

#include <utility>

extern "C" {
// lib/ovs-thread.h does not compile as C++; this is all that is needed of it.
pthread_t ovs_thread_create(const char* name, void* (*start)(void*), void* argument);
}

namespace hnv::ovs {

struct Thread::Impl {
    std::function<void()> body;
    pthread_t id{};
};

Thread::Thread(const std::string& name, std::function<void()> body)
    : impl_(std::make_unique<Impl>(Impl{std::move(body), {}})) {
    // noexcept: an exception must not pass libopenvswitch's frames; it ends the process here.
    const auto start = [](void* argument) noexcept -> void* {
        (*static_cast<std::function<void()>*>(argument))();
        return nullptr;
    };
    impl_->id = ovs_thread_create(name.c_str(), start, &impl_->body);
}

Thread::~Thread() { pthread_join(impl_->id, nullptr); }

}  // namespace hnv::ovs
