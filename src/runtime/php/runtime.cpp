// The plugin's face: muster's runtime interface on top of the engine.
#include "worker/runtime.h"

#include <fcntl.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "runtime/php/backtrace.h"
#include "runtime/php/describe.h"
#include "runtime/php/engine.h"
#include "runtime/php/ini_settings.h"
#include "runtime/php/known_holes.h"
#include "runtime/php/process_changes.h"
#include "runtime/php/request.h"
#include "runtime/php/startup.h"
#include "runtime/php/state.h"
#include "runtime/php/time_limit.h"

namespace muster::php {

namespace {

std::vector<std::string> splitWords(const std::string& text) {
    constexpr const char* kSpace = " \t\r\n";
    std::vector<std::string> words;
    std::size_t end = 0;
    while (true) {
        const std::size_t start = text.find_first_not_of(kSpace, end);
        if (start == std::string::npos) {
            return words;
        }
        end = text.find_first_of(kSpace, start);
        words.push_back(text.substr(start, end - start));
    }
}

class PhpRuntime final : public Runtime {
  public:
    static Runtime* create() {
        static PhpRuntime runtime;
        return &runtime;
    }

    Result<void> load(const RuntimeConfig& config) override {
        if (auto ok = startEngine(config); !ok) {
            return ok;
        }
        rules_.extensions = splitWords(config.limitExtensions);
        rules_.execBasedir = ExecBasedir(config.execBasedir);
        rules_.allowPhpValue = config.allowPhpValue;
        poweredBy_ = "X-Powered-By: PHP/" + engineVersion();
        applyPoolSettings(config.values, config.adminValues);
        watchProcessChanges();
        // What the engine had to say meanwhile; else every worker would say it again at its end.
        std::fflush(stdout);
        keepWhatIsLoaded();
        // A pool with a chroot changes its root after this: paths lead elsewhere then.
        php_clear_stat_cache(true, nullptr, 0);
        return {};
    }

    std::vector<std::string> warnings() override { return knownHoles(engineVersionId()); }

    Result<void> startWorker() override {
        state.homeDirectory = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return {};
    }

    RequestInfo resolve(RequestIo& io) noexcept override {
        return resolveRequest(io, resolver_, rules_);
    }

    RunOutcome run(RequestIo& io) noexcept override { return runRequest(io, rules_); }

    PageSettings pageSettings() noexcept override {
        const auto text = [](const char* value) {
            return value == nullptr ? std::string_view{} : std::string_view(value);
        };
        PageSettings settings;
        settings.poweredBy = PG(expose_php) ? std::string_view(poweredBy_) : std::string_view{};
        settings.charset = text(SG(default_charset));
        settings.mimeType = text(SG(default_mimetype));
        settings.readsQuery =
            text(PG(variables_order)).find_first_of("gG") != std::string_view::npos;
        return settings;
    }

    void interrupt() noexcept override { interruptEngine(); }
    bool ignoresAbort() noexcept override { return scriptIgnoresAbort(); }

    void stopWorker() noexcept override {
        endRequest();
        SG(server_context) = nullptr;
        php_module_shutdown();
    }

    Backtrace backtrace(MemoryReader& worker, std::size_t depth) override {
        return walkStack(worker, engineLayout(), depth);
    }

    int describe(const RuntimeConfig& config, Description what) override {
        if (auto ok = startEngine(config); !ok) {
            std::fprintf(stderr, "%s\n", ok.error().text().c_str());
            return 70;
        }
        return printDescription(what);
    }

  private:
    ~PhpRuntime() = default;

    RequestRules rules_;
    std::string poweredBy_;
    PathResolver resolver_;
};

// Outside the class, so that the entry below can name it.
Runtime* create() {
    return PhpRuntime::create();
}

}  // namespace

}  // namespace muster::php

extern "C" __attribute__((visibility("default"))) const muster::RuntimeEntry musterRuntime;
extern "C" const muster::RuntimeEntry musterRuntime = {muster::kRuntimeAbi, "php",
                                                       muster::php::create};
