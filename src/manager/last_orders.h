// Whoever waits in the socket when nobody is to serve it any more is still served: when that
// begins, who is left, and when it is over.
//
// Manager process. The caller tells the workers first: those that meet the closed socket must know
// why. Asks the kernel, never blocks.
#pragma once

#include <cstdint>

namespace muster::manager {

class LastOrders {
  public:
    /// Borrowed.
    explicit LastOrders(int listener) : listener_(listener) {}

    /// Closes the socket to newcomers. False when the kernel does not do that: then nobody is
    /// waited for.
    [[nodiscard]] bool begin(std::uint64_t nowNs);
    /// Between begin() and the moment when nobody waits and nobody can come any more, or end().
    [[nodiscard]] bool goOn(std::uint64_t nowNs);
    /// Whoever still waits is given up.
    void end();

  private:
    int listener_;
    bool goesOn_ = false;
    std::uint64_t earliestEndNs_ = 0;
};

}  // namespace muster::manager
