// Only in builds with the address sanitizer: it refuses libraries opened with RTLD_DEEPBIND, which
// is how PHP opens its extensions; here that flag is taken off.
#include <dlfcn.h>

extern "C" void* dlopen(const char* file, int mode) noexcept {
    using Dlopen = void* (*)(const char*, int);
    static const auto next = reinterpret_cast<Dlopen>(dlsym(RTLD_NEXT, "dlopen"));
    return next(file, mode & ~RTLD_DEEPBIND);
}
