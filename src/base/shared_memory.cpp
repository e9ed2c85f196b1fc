// memfd segments and their mappings.
#include "base/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

#include "base/io.h"

namespace muster {

Result<UniqueFd> createSegment(const std::string& name, std::size_t size) {
    UniqueFd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd) {
        return errnoError("memfd_create(" + name + ")");
    }
    if (::ftruncate(fd.get(), static_cast<off_t>(size)) < 0) {
        return errnoError("unable to allocate " + std::to_string(size) + " bytes in shared memory");
    }
    if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        return errnoError("seal(" + name + ")");
    }
    return fd;
}

Result<UniqueFd> createSealedContent(const std::string& name, std::string_view content) {
    UniqueFd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd) {
        return errnoError("memfd_create(" + name + ")");
    }
    if (!writeAll(fd.get(), content)) {
        return errnoError("write(" + name + ")");
    }
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    if (::fcntl(fd.get(), F_ADD_SEALS, seals) < 0) {
        return errnoError("seal(" + name + ")");
    }
    return fd;
}

bool isSealed(int fd) {
    constexpr int kAll = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    const int seals = ::fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & kAll) == kAll;
}

Result<Mapping> Mapping::map(int fd, Access access, std::size_t minimumSize) {
    struct stat info {};
    if (::fstat(fd, &info) < 0) {
        return errnoError("fstat(shared memory)");
    }
    const auto size = static_cast<std::size_t>(info.st_size);
    if (size < minimumSize || size == 0) {
        return plainError("shared memory has " + std::to_string(size) + " bytes, expected " +
                          std::to_string(minimumSize));
    }
    const int protection = access == Access::readWrite ? PROT_READ | PROT_WRITE : PROT_READ;
    void* data = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
        return errnoError("mmap(shared memory)");
    }
    return Mapping(data, size);
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

Mapping::~Mapping() {
    if (data_ != nullptr) {
        ::munmap(data_, size_);
    }
}

}  // namespace muster
