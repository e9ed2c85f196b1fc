// Finds and loads a runtime's shared object.
#include "worker/runtime.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <filesystem>

#include "base/process.h"

namespace muster {
namespace {

bool isPluginName(std::string_view name) {
    return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-.") ==
                                std::string_view::npos;
}

Result<std::string> runtimeDirectory() {
    if (const char* directory = ::secure_getenv("MUSTER_RUNTIME_DIR")) {
        return std::string(directory);
    }
    const auto executable = executablePath();
    if (!executable) {
        return tl::make_unexpected(executable.error());
    }
    const auto prefix = std::filesystem::path(*executable).parent_path().parent_path();
    return (prefix / "lib" / "muster").string();
}

std::string lastLoadError() {
    const char* text = ::dlerror();
    return text == nullptr ? "no reason given" : text;
}

}  // namespace

Result<Runtime*> loadRuntime(std::string_view name) {
    const std::string quoted = "runtime '" + std::string(name) + "'";
    if (!isPluginName(name)) {
        return plainError(quoted + ": not a name of a runtime");
    }
    const auto directory = runtimeDirectory();
    if (!directory) {
        return tl::make_unexpected(directory.error());
    }
    const std::string path = *directory + "/muster-" + std::string(name) + ".so";
    // Global, because the extensions of an engine look for its symbols without naming it. Never
    // closed: what it registers lives as long as the process.
    void* plugin = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (plugin == nullptr) {
        return plainError("unable to load " + quoted + ": " + lastLoadError());
    }
    const auto* entry = static_cast<const RuntimeEntry*>(::dlsym(plugin, "musterRuntime"));
    if (entry == nullptr) {
        return plainError(quoted + ": " + path + " is no runtime of muster: " + lastLoadError());
    }
    if (entry->abi != kRuntimeAbi) {
        return plainError(quoted + ": " + path + " was built for interface " +
                          std::to_string(entry->abi) + ", this is " + std::to_string(kRuntimeAbi));
    }
    Runtime* runtime = entry->create();
    if (runtime == nullptr) {
        return plainError(quoted + ": " + path + " made no runtime");
    }
    return runtime;
}

}  // namespace muster
