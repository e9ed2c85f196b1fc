// The order in which the engine comes up (php-sapi-notes.md §2, §3).
#include "runtime/php/startup.h"

#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/ini_files.h"
#include "runtime/php/engine.h"
#include "runtime/php/environment.h"
#include "runtime/php/messages.h"
#include "runtime/php/module.h"
#include "runtime/php/sapi_module.h"
#include "runtime/php/time_limit.h"

namespace muster::php {

namespace {

/// A variable of the environment with another value for this object's lifetime.
class ScopedVariable {
  public:
    ScopedVariable(const char* name, const std::string& value) : name_(name) {
        if (const char* old = std::getenv(name)) {
            old_ = old;
        }
        ::setenv(name, value.c_str(), 1);
    }
    ScopedVariable(const ScopedVariable&) = delete;
    ScopedVariable& operator=(const ScopedVariable&) = delete;
    ~ScopedVariable() {
        if (old_) {
            ::setenv(name_, old_->c_str(), 1);
        } else {
            ::unsetenv(name_);
        }
    }

  private:
    const char* name_;
    std::optional<std::string> old_;
};

/// Definitions of -d as text of an ini file.
std::string iniText(const std::vector<std::pair<std::string, std::string>>& definitions) {
    std::string text;
    for (const auto& [name, value] : definitions) {
        text.append(name).append("=").append(value).append("\n");
    }
    return text;
}

/// The engine's structures differ between minor versions, and its library's name does not say.
Result<void> checkLibrary() {
    const std::string_view built = ZEND_VERSION;
    std::string wanted = "Zend Engine v";
    wanted.append(built.substr(0, built.rfind('.') + 1));
    const std::string_view found = get_zend_version();
    if (!found.starts_with(wanted)) {
        return plainError("libphp is not PHP " MUSTER_PHP_VERSION ": it says \"" +
                          std::string(found.substr(0, found.find(','))) + "\"");
    }
    return {};
}

/// The engine keeps these strings until the process ends.
char* keep(const std::string& text) {
    return text.empty() ? nullptr : ::strdup(text.c_str());
}

int removeConstantOf(zval* constant, void* moduleNumber) noexcept {
    const auto* entry = static_cast<zend_constant*>(Z_PTR_P(constant));
    return static_cast<int>(ZEND_CONSTANT_MODULE_NUMBER(entry)) == *static_cast<int*>(moduleNumber)
               ? ZEND_HASH_APPLY_REMOVE
               : ZEND_HASH_APPLY_KEEP;
}

/// libphp contains pcntl, php-fpm does not: a script that forks would have a second worker run
/// down the same request, and one that takes over signals would not hear the manager.
void removeProcessControl() {
    constexpr std::string_view kName = "pcntl";
    const auto* module = static_cast<const zend_module_entry*>(
        zend_hash_str_find_ptr(&module_registry, kName.data(), kName.size()));
    if (module == nullptr) {
        return;
    }
    zend_unregister_functions(module->functions, -1, nullptr);
    // Constants of a module that is gone are more than get_defined_constants(true) can bear.
    zend_hash_apply_with_argument(EG(zend_constants), removeConstantOf,
                                  const_cast<int*>(&module->module_number));
    zend_hash_str_del(&module_registry, kName.data(), kName.size());
    zend_collect_module_handlers();
}

}  // namespace

Result<void> startEngine(const RuntimeConfig& config) {
    prepareMessages(config.logLevel, config.logLimit);
    const IniFiles files = locateIniFiles(config.iniPath, config.ignoreIni);
    if (auto ok = checkReadable(files); !ok) {
        return ok;
    }
    zend_signal_startup();
    // The engine would put handlers of its own over ours at every request, and ask the kernel for
    // each of them every time. Ours are safe at any moment, so nothing needs to be deferred; only
    // the time limit's signal goes through the engine, which installs that one anyway.
    SIGG(reset) = false;
    sapi_startup(&sapiModule);
    sapiModule.php_ini_path_override = keep(files.path);
    sapiModule.php_ini_ignore = config.ignoreIni ? 1 : 0;
    sapiModule.php_ini_ignore_cwd = 1;
    sapiModule.ini_entries = keep(iniText(config.iniDefinitions));
    sapiModule.executable_location = keep(config.executable);
    if (config.earlyHints) {
        offerEarlyHints();
    }
    {
        const ScopedVariable scan("PHP_INI_SCAN_DIR", files.scanDirectory);
        if (sapiModule.startup(&sapiModule) != SUCCESS) {
            return plainError("PHP's module start-up failed");
        }
    }
    if (auto ok = checkLibrary(); !ok) {
        return ok;
    }
    if (config.extendedInfo) {
        CG(compiler_options) |= ZEND_COMPILE_EXTENDED_INFO;
    }
    removeProcessControl();
    installEnvironmentHooks();
    installInterrupt();
    return {};
}

std::string engineVersion() {
    const zval* version = zend_get_constant_str("PHP_VERSION", sizeof("PHP_VERSION") - 1);
    return {Z_STRVAL_P(version), Z_STRLEN_P(version)};
}

long engineVersionId() {
    const zval* id = zend_get_constant_str("PHP_VERSION_ID", sizeof("PHP_VERSION_ID") - 1);
    return Z_LVAL_P(id);
}

void keepWhatIsLoaded() {
    // At the end of a request the engine throws away all but so many first entries. Those that
    // were removed leave holes there, and the tables are packed anew when a script makes them grow:
    // with the old count, that script's first ones would stay for the next one.
    zend_hash_rehash(CG(function_table));
    zend_hash_rehash(EG(zend_constants));
    EG(persistent_functions_count) = CG(function_table)->nNumUsed;
    EG(persistent_classes_count) = CG(class_table)->nNumUsed;
    EG(persistent_constants_count) = EG(zend_constants)->nNumUsed;
}

}  // namespace muster::php
