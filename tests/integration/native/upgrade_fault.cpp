// Preloaded by tests/integration/test_upgrade.py: a program that takes over crashes before it holds
// everything; all else, the program that gets the service back included, is left alone.
#include <dlfcn.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdarg>
#include <cstdlib>

namespace {

bool takesOver = false;

__attribute__((constructor)) void look() {
    takesOver = std::getenv("MUSTER_UPGRADE_FD") != nullptr &&
                std::getenv("MUSTER_UPGRADE_FAILURE") == nullptr;
}

}  // namespace

// In the place of the C library's.
extern "C" int prctl(int option, ...) noexcept {
    if (takesOver && option == PR_SET_CHILD_SUBREAPER) {
        std::raise(SIGSEGV);
    }
    std::va_list list;
    va_start(list, option);
    const auto second = va_arg(list, unsigned long);
    const auto third = va_arg(list, unsigned long);
    const auto fourth = va_arg(list, unsigned long);
    const auto fifth = va_arg(list, unsigned long);
    va_end(list);
    using Prctl = int (*)(int, ...);
    static const auto kReal = reinterpret_cast<Prctl>(::dlsym(RTLD_NEXT, "prctl"));
    return kReal(option, second, third, fourth, fifth);
}
