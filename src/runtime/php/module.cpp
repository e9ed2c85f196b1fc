// Registers the extension `cgi-fcgi`.
#include "runtime/php/module.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/php/headers.h"
#include "runtime/php/pool_status.h"
#include "runtime/php/process_changes.h"
#include "runtime/php/state.h"
#include "runtime/php/time_limit.h"

namespace muster::php {

ModuleSettings moduleSettings{};

namespace {

using fastcgi::Params;

constexpr std::string_view kHeaderPrefix = "HTTP_";

/// HTTP_X_FOO__BAR → X-Foo-_bar.
void writeHeaderName(std::string_view variable, char* name) noexcept {
    bool keep = true;
    for (const char c : variable) {
        const bool dash = !keep && c == '_';
        // Not tolower(), which follows the locale that a script has set.
        const bool upper = !keep && c >= 'A' && c <= 'Z';
        *name++ = dash ? '-' : upper ? static_cast<char>(c - 'A' + 'a') : c;
        keep = dash;
    }
}

void addHeader(zval* headers, const Params::Entry& entry) noexcept {
    std::string_view variable(entry.name, entry.nameLength);
    if (variable.starts_with(kHeaderPrefix) && variable.size() > kHeaderPrefix.size()) {
        variable.remove_prefix(kHeaderPrefix.size());
        zend_string* name = zend_string_alloc(variable.size(), false);
        writeHeaderName(variable, ZSTR_VAL(name));
        ZSTR_VAL(name)[ZSTR_LEN(name)] = '\0';
        add_assoc_stringl_ex(headers, ZSTR_VAL(name), ZSTR_LEN(name), entry.value,
                             entry.valueLength);
        zend_string_release(name);
    } else if (variable == "CONTENT_TYPE") {
        add_assoc_stringl(headers, "Content-Type", entry.value, entry.valueLength);
    } else if (variable == "CONTENT_LENGTH") {
        add_assoc_stringl(headers, "Content-Length", entry.value, entry.valueLength);
    }
}

/// Behind the end of the request nothing more can be read: what the script may still want of a
/// body that is not larger than a form may be is taken now, as far as it is here. The response has
/// left by then: a peer may wait for it before it goes on sending.
void keepBody() noexcept {
    const auto limit = SG(post_max_size);
    if (state.bodyUntilEnd || SG(post_read) || SG(read_post_bytes) >= state.bodyLength ||
        (limit > 0 && state.bodyLength > limit)) {
        return;
    }
    state.io->flush();
    state.io->hurryBody();
    if (php_stream* input = php_stream_open_wrapper("php://input", "rb", 0, nullptr)) {
        char block[SAPI_POST_BLOCK_SIZE];
        while (php_stream_read(input, block, sizeof block) > 0) {
        }
        php_stream_close(input);
    }
}

PHP_FUNCTION(fastcgi_finish_request) {
    ZEND_PARSE_PARAMETERS_NONE();
    if (state.io == nullptr || state.io->finished()) {
        RETURN_FALSE;
    }
    keepBody();
    php_output_end_all();
    php_header();
    endScriptWhenLate();  // else the response would lack what was not taken any more
    state.io->finish();
    RETURN_TRUE;
}

PHP_FUNCTION(apache_request_headers) {
    ZEND_PARSE_PARAMETERS_NONE();
    array_init(return_value);
    if (state.io != nullptr) {
        zval* headers = return_value;
        state.io->params().forEach(
            [headers](const Params::Entry& entry) { addHeader(headers, entry); });
    }
}

PHP_FUNCTION(fpm_get_status) {
    ZEND_PARSE_PARAMETERS_NONE();
    const PoolStatus* status = state.io != nullptr ? state.io->poolStatus() : nullptr;
    if (status == nullptr) {
        RETURN_FALSE;
    }
    describePool(return_value, *status);
}

constexpr zend_long kEarlyHints = 103;

/// As FrankenPHP has it: an informational response, or the headers of the real one now.
PHP_FUNCTION(headers_send) {
    zend_long code = 200;
    ZEND_PARSE_PARAMETERS_START(0, 1)
    Z_PARAM_OPTIONAL
    Z_PARAM_LONG(code)
    ZEND_PARSE_PARAMETERS_END();
    if (code >= 100 && code < 200) {
        const bool sent = code == kEarlyHints && sendEarlyHints();
        RETURN_LONG(sent ? SAPI_HEADER_SENT_SUCCESSFULLY : SAPI_HEADER_SEND_FAILED);
    }
    if (!SG(headers_sent)) {
        SG(sapi_headers).http_response_code = static_cast<int>(code);
    }
    RETURN_LONG(sapi_send_headers());
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_fastcgi_finish_request, 0, 0, _IS_BOOL, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_apache_request_headers, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_headers_send, 0, 0, IS_LONG, 0)
ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, status, IS_LONG, 0, "200")
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_MASK_EX(arginfo_fpm_get_status, 0, 0, MAY_BE_ARRAY | MAY_BE_FALSE)
ZEND_END_ARG_INFO()

// php-fpm's, behind the one that is there only when early_hints is on.
const zend_function_entry functions[] = {
    // clang-format off
    PHP_FE(headers_send, arginfo_headers_send)
    PHP_FE(fastcgi_finish_request, arginfo_fastcgi_finish_request)
    PHP_FE(apache_request_headers, arginfo_apache_request_headers)
    PHP_FALIAS(getallheaders, apache_request_headers, arginfo_apache_request_headers)
    PHP_FE(fpm_get_status, arginfo_fpm_get_status)
    PHP_FE_END
    // clang-format on
};

constexpr std::size_t lengthOf(const char* text) {
    return std::string_view(text).size();
}

/// One setting kept at `offset` of ModuleSettings.
zend_ini_entry_def setting(const char* name, const char* value, int access, std::size_t offset,
                           decltype(zend_ini_entry_def::on_modify) onModify,
                           decltype(zend_ini_entry_def::displayer) displayer) {
    zend_ini_entry_def entry{};
    entry.name = name;
    entry.name_length = static_cast<std::uint16_t>(lengthOf(name));
    entry.value = value;
    entry.value_length = value != nullptr ? static_cast<std::uint32_t>(lengthOf(value)) : 0;
    entry.modifiable = static_cast<std::uint8_t>(access);
    entry.on_modify = onModify;
    // The engine's handlers take an offset dressed as a pointer.
    entry.mh_arg1 = reinterpret_cast<void*>(offset);
    entry.mh_arg2 = &moduleSettings;
    entry.displayer = displayer;
    return entry;
}

zend_ini_entry_def flag(const char* name, const char* value, int access, std::size_t offset) {
    return setting(name, value, access, offset, OnUpdateBool, zend_ini_boolean_displayer_cb);
}

zend_ini_entry_def text(const char* name, std::size_t offset) {
    return setting(name, nullptr, PHP_INI_SYSTEM, offset, OnUpdateString, nullptr);
}

const zend_ini_entry_def settings[] = {
    flag("cgi.rfc2616_headers", "0", PHP_INI_ALL, offsetof(ModuleSettings, rfc2616Headers)),
    flag("cgi.nph", "0", PHP_INI_ALL, offsetof(ModuleSettings, nph)),
    flag("cgi.force_redirect", "1", PHP_INI_SYSTEM, offsetof(ModuleSettings, forceRedirect)),
    text("cgi.redirect_status_env", offsetof(ModuleSettings, redirectStatusEnv)),
    flag("cgi.fix_pathinfo", "1", PHP_INI_SYSTEM, offsetof(ModuleSettings, fixPathinfo)),
    flag("cgi.discard_path", "0", PHP_INI_SYSTEM, offsetof(ModuleSettings, discardPath)),
    flag("fastcgi.logging", "1", PHP_INI_SYSTEM, offsetof(ModuleSettings, logging)),
    text("fastcgi.error_header", offsetof(ModuleSettings, errorHeader)),
    text("fpm.config", offsetof(ModuleSettings, fpmConfig)),
    {},
};

PHP_MINIT_FUNCTION(muster) {
    return zend_register_ini_entries_ex(settings, module_number, type);
}

PHP_MSHUTDOWN_FUNCTION(muster) {
    zend_unregister_ini_entries_ex(module_number, type);
    return SUCCESS;
}

PHP_RSHUTDOWN_FUNCTION(muster) {
    static_cast<void>(type);
    static_cast<void>(module_number);
    state.shuttingDown = true;
    forgetRequestChanges();
    return SUCCESS;
}

PHP_MINFO_FUNCTION(muster) {
    php_info_print_table_start();
    php_info_print_table_row(2, "php-fpm", "active");
    php_info_print_table_end();
    display_ini_entries(zend_module);
}

}  // namespace

zend_module_entry moduleEntry = {
    STANDARD_MODULE_HEADER,
    "cgi-fcgi",
    functions + 1,
    PHP_MINIT(muster),
    PHP_MSHUTDOWN(muster),
    nullptr,
    PHP_RSHUTDOWN(muster),
    PHP_MINFO(muster),
    PHP_VERSION,
    STANDARD_MODULE_PROPERTIES,
};

void offerEarlyHints() noexcept {
    moduleEntry.functions = functions;
}

}  // namespace muster::php
