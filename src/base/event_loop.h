// The event loop of a long-lived process: libevent behind owners that clean up after themselves.
//
// One loop per process, single-threaded. A Watch disarms what it stands for when it is destroyed,
// also from inside its own callback or that of another watch of the same round: its storage is
// freed only after the round (events of one batch may refer to each other's objects). After a fork
// the child never touches the loop and leaves through _exit(2). Callbacks must not throw.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"

struct event;
struct event_base;

namespace muster {

class EventLoop {
    struct Holder;
    struct Core;

  public:
    enum class Trigger { level, edge };

    class Watch {
      public:
        Watch();
        Watch(Watch&& other) noexcept;
        Watch& operator=(Watch&& other) noexcept;
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;
        ~Watch();
        [[nodiscard]] explicit operator bool() const { return holder_ != nullptr; }
        void cancel();

      private:
        friend class EventLoop;
        explicit Watch(std::unique_ptr<Holder> holder);
        std::unique_ptr<Holder> holder_;
    };

    /// Fails when the kernel has no epoll for us.
    [[nodiscard]] static Result<EventLoop> create();
    EventLoop(EventLoop&&) noexcept;
    EventLoop& operator=(EventLoop&&) noexcept = delete;
    ~EventLoop();

    using Callback = std::function<void()>;
    /// `fd` is borrowed and must outlive the watch.
    [[nodiscard]] Watch whenReadable(int fd, Callback callback, Trigger trigger = Trigger::level);
    [[nodiscard]] Watch whenWritable(int fd, Callback callback);
    [[nodiscard]] Watch every(std::chrono::milliseconds period, Callback callback);
    [[nodiscard]] Watch after(std::chrono::milliseconds delay, Callback callback);

    /// Runs until stop(), which may come before. Blocks.
    void run();
    void stop();

  private:
    explicit EventLoop(std::unique_ptr<Core> core);
    Watch arm(int fd, short what, std::chrono::milliseconds period, Callback callback);
    std::unique_ptr<Core> core_;
};

}  // namespace muster
