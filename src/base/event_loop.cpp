// libevent's base and events with owners.
#include "base/event_loop.h"

#include <event2/event.h>

#include <utility>

namespace muster {

struct EventLoop::Core {
    event_base* base = nullptr;
    bool stopping = false;
    bool dispatching = false;
    std::vector<std::unique_ptr<Holder>> graveyard;
};

struct EventLoop::Holder {
    Core* core = nullptr;
    event* handle = nullptr;
    Callback callback;
};

EventLoop::Watch::Watch(std::unique_ptr<Holder> holder) : holder_(std::move(holder)) {}
EventLoop::Watch::Watch() = default;
EventLoop::Watch::Watch(Watch&& other) noexcept = default;

EventLoop::Watch& EventLoop::Watch::operator=(Watch&& other) noexcept {
    if (this != &other) {
        cancel();
        holder_ = std::move(other.holder_);
    }
    return *this;
}

EventLoop::Watch::~Watch() {
    cancel();
}

void EventLoop::Watch::cancel() {
    if (!holder_) {
        return;
    }
    event_free(holder_->handle);  // also takes it out of the running batch
    holder_->handle = nullptr;
    Core* core = holder_->core;
    if (core->dispatching) {
        core->graveyard.push_back(std::move(holder_));
    } else {
        holder_.reset();
    }
}

EventLoop::EventLoop(std::unique_ptr<Core> core) : core_(std::move(core)) {}
EventLoop::EventLoop(EventLoop&&) noexcept = default;

EventLoop::~EventLoop() {
    if (core_) {
        event_base_free(core_->base);
    }
}

Result<EventLoop> EventLoop::create() {
    auto core = std::make_unique<Core>();
    event_config* config = event_config_new();
    event_config_require_features(config, EV_FEATURE_ET);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER);
    core->base = event_base_new_with_config(config);
    event_config_free(config);
    if (core->base == nullptr) {
        return plainError("unable to find a suitable event mechanism on this system");
    }
    return EventLoop(std::move(core));
}

EventLoop::Watch EventLoop::arm(int fd, short what, std::chrono::milliseconds period,
                                Callback callback) {
    auto holder = std::make_unique<Holder>();
    holder->core = core_.get();
    holder->callback = std::move(callback);
    const auto run = [](evutil_socket_t, short, void* argument) {
        static_cast<Holder*>(argument)->callback();
    };
    holder->handle = event_new(core_->base, fd, what, run, holder.get());
    timeval delay{};
    delay.tv_sec = static_cast<time_t>(period.count() / 1000);
    delay.tv_usec = static_cast<suseconds_t>(period.count() % 1000 * 1000);
    event_add(holder->handle, fd >= 0 ? nullptr : &delay);
    return Watch(std::move(holder));
}

EventLoop::Watch EventLoop::whenReadable(int fd, Callback callback, Trigger trigger) {
    const int what = EV_READ | EV_PERSIST | (trigger == Trigger::edge ? EV_ET : 0);
    return arm(fd, static_cast<short>(what), {}, std::move(callback));
}

EventLoop::Watch EventLoop::whenWritable(int fd, Callback callback) {
    return arm(fd, EV_WRITE | EV_PERSIST, {}, std::move(callback));
}

EventLoop::Watch EventLoop::every(std::chrono::milliseconds period, Callback callback) {
    return arm(-1, EV_PERSIST, period, std::move(callback));
}

EventLoop::Watch EventLoop::after(std::chrono::milliseconds delay, Callback callback) {
    return arm(-1, 0, delay, std::move(callback));
}

void EventLoop::run() {
    while (!core_->stopping) {
        core_->dispatching = true;
        const int outcome = event_base_loop(core_->base, EVLOOP_ONCE);
        core_->dispatching = false;
        core_->graveyard.clear();
        if (outcome != 0) {
            return;  // nothing left to wait for, or the kernel refuses: the caller ends
        }
    }
    core_->stopping = false;
}

void EventLoop::stop() {
    core_->stopping = true;
    event_base_loopbreak(core_->base);
}

}  // namespace muster
