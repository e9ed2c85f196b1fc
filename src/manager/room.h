// A manager's side of process.max: how many workers it may have and what it has asked for (the
// master's side is master/process_account.h). Pure arithmetic; nobody asks for anything without
// the limit.
#pragma once

#include <cstdint>

namespace muster::manager {

class Room {
  public:
    explicit Room(bool limited) : limited_(limited) {}

    /// At the start: that much was granted of what the pool begins with.
    void begin(std::uint32_t granted, int initial);
    void granted(std::uint32_t workers);

    /// How many of `wanted` more workers may be forked now.
    [[nodiscard]] int mayFork(int wanted, int running) const;
    /// How many more are to be asked for, so that `wanted` could be forked …
    [[nodiscard]] int toAsk(int wanted, int running) const;
    /// … which the master was told.
    void asked(int workers) { asked_ += workers; }
    /// How many granted ones nobody needs when `wanted` more are to come …
    [[nodiscard]] int surplus(int running, int wanted) const;
    /// … which the master was told.
    void returned(int workers) { held_ -= workers; }

    [[nodiscard]] bool limited() const { return limited_; }

  private:
    bool limited_;
    int held_ = 0;
    int asked_ = 0;
};

}  // namespace muster::manager
