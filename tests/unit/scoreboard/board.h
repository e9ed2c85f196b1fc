// A scoreboard segment for tests, mapped once for its writers.
#pragma once

#include <gtest/gtest.h>

#include <random>

#include "base/clock.h"
#include "scoreboard/segment.h"

namespace muster::scoreboard {

inline SegmentIdentity identity(std::uint32_t slots) {
    SegmentIdentity identity{};
    identity.poolName = "www";
    identity.slotCount = slots;
    identity.processManager = 2;
    identity.startedWallNs = wallNs();
    return identity;
}

class Board {
  public:
    explicit Board(const SegmentIdentity& what) {
        auto created = Segment::create(what);
        EXPECT_TRUE(created);
        fd_ = std::move(*created);
        auto attached = Segment::attach(fd_.get(), Mapping::Access::readWrite);
        EXPECT_TRUE(attached);
        segment = std::move(*attached);
    }
    explicit Board(std::uint32_t slots) : Board(identity(slots)) {}
    [[nodiscard]] int fd() const { return fd_.get(); }

    Segment segment;

  private:
    UniqueFd fd_;
};

/// Random bytes over `size` bytes at `where`.
inline void scribble(void* where, std::size_t size, std::mt19937_64& random) {
    auto* bytes = static_cast<unsigned char*>(where);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<unsigned char>(random());
    }
}

}  // namespace muster::scoreboard
