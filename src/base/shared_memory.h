// Anonymous shared memory in descriptors (memfd_create(2)): the only file that maps memory.
//
// Contract: the segment's size is sealed, so no holder of the descriptor can shrink it under a
// reader (SIGBUS). A mapping is owned by its object and unmapped with it. Any process.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

/// A zeroed segment of exactly `size` bytes that can neither grow nor shrink.
[[nodiscard]] Result<UniqueFd> createSegment(const std::string& name, std::size_t size);

/// A memfd holding `content`, sealed against every change: how settings travel to a manager.
[[nodiscard]] Result<UniqueFd> createSealedContent(const std::string& name,
                                                   std::string_view content);

/// Made by createSealedContent(), or as safe as that. Any number is safe to ask for.
[[nodiscard]] bool isSealed(int fd);

class Mapping {
  public:
    enum class Access { readOnly, readWrite };

    /// Maps the whole descriptor; fails when it is smaller than `minimumSize`.
    [[nodiscard]] static Result<Mapping> map(int fd, Access access, std::size_t minimumSize);

    Mapping() = default;
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping();

    [[nodiscard]] void* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    Mapping(void* data, std::size_t size) : data_(data), size_(size) {}
    void* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace muster
