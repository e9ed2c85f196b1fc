// Prints what php-fpm prints, from inside one request that has no peer.
#include "runtime/php/describe.h"

#include <strings.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ini_files.h"
#include "runtime/php/engine.h"
#include "runtime/php/startup.h"

namespace muster::php {

namespace {

constexpr int kSoftware = 70;

/// What phpinfo() prints for these sections.
std::string informationText(int sections) {
    std::string text;
    zval contents;
    ZVAL_NULL(&contents);
    php_output_start_default();
    php_print_info(sections);
    if (php_output_get_contents(&contents) == SUCCESS) {
        text.assign(Z_STRVAL(contents), Z_STRLEN(contents));
    }
    php_output_discard();
    zval_ptr_dtor(&contents);
    return text;
}

/// Where the value of a row stands in the text, and how long it is.
std::pair<std::size_t, std::size_t> findRow(std::string_view text, const std::string& name) {
    const std::string row = "\n" + name + " => ";
    const std::size_t at = text.find(row);
    if (at == std::string_view::npos) {
        return {text.size(), 0};
    }
    const std::size_t start = at + row.size();
    return {start, std::min(text.find('\n', start), text.size()) - start};
}

/// The engine's library knows when it was built, but says so only in phpinfo().
std::string buildDate() {
    const std::string text = informationText(PHP_INFO_GENERAL);
    const auto [start, length] = findRow(text, "Build Date");
    return text.substr(start, length);
}

/// The library's own directory of ini files is another SAPI's; this one is looked into.
void printInformation() {
    std::string text = informationText(static_cast<int>(PHP_INFO_ALL));
    const auto [start, length] = findRow(text, "Configuration File (php.ini) Path");
    text.replace(start, length, length == 0 ? "" : iniDirectory());
    std::fwrite(text.data(), 1, text.size(), stdout);
}

void printVersion() {
    std::printf("PHP %s (%s) (built: %s)\nCopyright (c) The PHP Group\n%s", engineVersion().c_str(),
                sapi_module.name, buildDate().c_str(), get_zend_version());
}

void printNames(const char* title, std::vector<const char*> names) {
    std::sort(names.begin(), names.end(),
              [](const char* a, const char* b) { return strcasecmp(a, b) < 0; });
    std::printf("[%s]\n", title);
    for (const char* name : names) {
        std::puts(name);
    }
    std::puts("");
}

void printModules() {
    std::vector<const char*> modules;
    zval* module = nullptr;
    ZEND_HASH_FOREACH_VAL(&module_registry, module) {
        modules.push_back(static_cast<const zend_module_entry*>(Z_PTR_P(module))->name);
    }
    ZEND_HASH_FOREACH_END();
    printNames("PHP Modules", std::move(modules));

    std::vector<const char*> extensions;
    for (zend_llist_element* e = zend_extensions.head; e != nullptr; e = e->next) {
        extensions.push_back(reinterpret_cast<const zend_extension*>(e->data)->name);
    }
    printNames("Zend Modules", std::move(extensions));
}

}  // namespace

int printDescription(Description what) noexcept {
    sapi_module.phpinfo_as_text = 1;
    if (php_request_startup() == FAILURE) {
        return kSoftware;
    }
    SG(headers_sent) = 1;
    SG(request_info).no_headers = true;
    switch (what) {
        case Description::version:
            printVersion();
            break;
        case Description::modules:
            printModules();
            break;
        case Description::information:
            printInformation();
            break;
    }
    php_request_shutdown(nullptr);
    std::fflush(stdout);
    return 0;
}

}  // namespace muster::php
