#include "vm/libvirt_event_loop.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <mutex>

namespace runvm::vm {

EventLoop::EventLoop() {
    static std::once_flag registered;
    std::call_once(registered, [] {
        virSetErrorFunc(nullptr, [](void*, virErrorPtr) {}); // or it writes each error to stderr
        virEventRegisterDefaultImpl();
    });
    // A timer, because it is what wakes the loop up to be left.
    timer_ = virEventAddTimeout(
        -1, [](int, void*) {}, nullptr, nullptr);
    thread_ = std::thread([this] {
        while (!leaving_)
            if (virEventRunDefaultImpl() < 0)
                return;
    });
}

void EventLoop::stop() {
    if (!thread_.joinable())
        return;
    leaving_ = true;
    virEventUpdateTimeout(timer_, 0);
    thread_.join();
    virEventRemoveTimeout(timer_);
}

} // namespace runvm::vm
