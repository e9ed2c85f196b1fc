// Drives the engine through one request. Frames that call it hold no owning objects.
#include "runtime/php/request.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "runtime/php/engine.h"
#include "runtime/php/headers.h"
#include "runtime/php/ini_settings.h"
#include "runtime/php/messages.h"
#include "runtime/php/module.h"
#include "runtime/php/state.h"

namespace muster::php {

namespace {

using std::string_view;

constexpr int kProtocol = 1000;  // HTTP/1.0, as php-fpm always says
constexpr int kFatalExit = 255;
constexpr int kRequestTimeout = 408;
constexpr int kClientClosedRequest = 499;  // as nginx has it in its log; nobody gets it
constexpr int kGatewayTimeout = 504;
constexpr const char* kExecBasedir = "security.exec_basedir";

char* mutableText(const char* text) {
    return const_cast<char*>(text);
}

FileKind kindOf(const char* path) {
    struct stat info {};
    if (::stat(path, &info) != 0) {
        return FileKind::missing;
    }
    return S_ISREG(info.st_mode) ? FileKind::regular : FileKind::other;
}

/// What an earlier request left when it was resolved but never run (ping, status page).
void forgetUser() noexcept {
    for (char** text : {&SG(request_info).auth_user, &SG(request_info).auth_password,
                        &SG(request_info).auth_digest}) {
        if (*text != nullptr) {
            efree(*text);
            *text = nullptr;
        }
    }
}

void takeBodyLength(const fastcgi::Params& params) noexcept {
    const char* length = params.get("CONTENT_LENGTH");
    // nginx sends an empty one for a chunked upload that it does not buffer.
    state.bodyUntilEnd = length == nullptr || *length == '\0';
    state.bodyLength = state.bodyUntilEnd ? 0 : std::strtol(length, nullptr, 10);
    if (state.bodyLength < 0) {
        state.bodyUntilEnd = true;
    }
}

void fillRequestInfo(const fastcgi::Params& params) noexcept {
    sapi_request_info& info = SG(request_info);
    const char* type = params.get("CONTENT_TYPE");
    info.query_string = mutableText(params.get("QUERY_STRING"));
    info.request_uri = mutableText(state.path.uri);
    info.content_type = type != nullptr ? type : "";
    info.content_length = state.bodyUntilEnd ? -1 : state.bodyLength;
    info.proto_num = kProtocol;
    zend_try {
        php_handle_auth_data(params.get("HTTP_AUTHORIZATION"));
    }
    zend_end_try();
}

void clearRequestInfo() noexcept {
    sapi_request_info& info = SG(request_info);
    info.request_method = nullptr;
    info.query_string = nullptr;
    info.request_uri = nullptr;
    info.content_type = nullptr;
    info.content_length = 0;
    info.proto_num = kProtocol;
}

bool extensionAllowed(string_view script, const std::vector<std::string>& extensions) {
    if (extensions.empty()) {
        return true;
    }
    for (const std::string& extension : extensions) {
        if (script.size() > extension.size() && script.ends_with(extension)) {
            return true;
        }
    }
    return false;
}

/// A page of the runtime's own. The engine may leave by longjmp when the peer is gone.
void answer(int code, const char* text) noexcept {
    zend_try {
        SG(sapi_headers).http_response_code = code;
        PHPWRITE(text, std::strlen(text));
    }
    zend_end_try();
}

bool isSet(const char* setting) {
    return setting != nullptr && *setting != '\0';
}

/// The engine opens a file of its own choice then, not the one the rules found.
bool engineChoosesScript() noexcept {
    return isSet(PG(doc_root)) || isSet(PG(user_dir));
}

/// The engine may open the script itself, or find it in OPcache without opening it, when nothing
/// but this very path can be meant and it was seen to be a readable file.
bool mayOpenLate(const char* path, FileKind kind) noexcept {
    return kind == FileKind::regular && *path == '/' && !engineChoosesScript() &&
           !isSet(PG(open_basedir)) && std::strstr(path, ".phar") == nullptr &&
           ::access(path, R_OK) == 0;
}

bool openScript(zend_file_handle* file, const char* path, FileKind kind) noexcept {
    volatile bool opened = false;
    zend_try {
        if (mayOpenLate(path, kind)) {
            zend_stream_init_filename(file, path);
            file->primary_script = true;
            opened = true;
        } else {
            errno = 0;
            opened = php_fopen_primary_script(file) == SUCCESS;
        }
    }
    zend_end_try();
    return opened;
}

void refuseUnopened(int error, const char* path) noexcept {
    zend_try {
        logMessage(LogLevel::error, "Unable to open primary script: %s (%s)", path,
                   std::strerror(error));
    }
    zend_end_try();
    if (error == EACCES) {
        answer(403, "Access denied.\n");
    } else {
        answer(404, "No input file specified.\n");
    }
}

/// What the engine opened, or found in OPcache, is below security.exec_basedir.
bool openedInside(zend_file_handle* file, const ExecBasedir& base,
                  char (&real)[PATH_MAX]) noexcept {
    const zend_string* path = file->opened_path != nullptr ? file->opened_path : file->filename;
    if (base.placeOf(ZSTR_VAL(path), real) != ExecBasedir::Place::inside) {
        return false;
    }
    if (file->type == ZEND_HANDLE_FILENAME) {
        // It will be opened, if at all, where it was found to be.
        zend_string_release(file->filename);
        file->filename = zend_string_init(real, std::strlen(real), 0);
        return true;
    }
    int fd = -1;
    return file->type == ZEND_HANDLE_STREAM &&
           php_stream_cast(static_cast<php_stream*>(file->handle.stream.handle),
                           PHP_STREAM_AS_FD | PHP_STREAM_CAST_INTERNAL,
                           reinterpret_cast<void**>(&fd), 0) == SUCCESS &&
           isFileAt(fd, real);
}

void deny(const char* script, const char* directive) noexcept {
    zend_try {
        logMessage(LogLevel::notice, "Access to the script '%s' has been denied (see %s)", script,
                   directive);
    }
    zend_end_try();
    answer(403, "Access denied.\n");
}

void closeScript(zend_file_handle* file) noexcept {
    if (!file->in_list) {
        zend_try {
            zend_destroy_file_handle(file);
        }
        zend_end_try();
    }
}

/// The script's directory becomes the current one, as the engine would do it.
void enterDirectoryOf(const char* path) noexcept {
    const char* slash = std::strrchr(path, '/');
    if (slash == nullptr) {
        return;
    }
    char directory[MAXPATHLEN];
    const auto length = slash == path ? 1 : static_cast<std::size_t>(slash - path);
    if (length < sizeof directory) {
        std::memcpy(directory, path, length);
        directory[length] = '\0';
        [[maybe_unused]] const int ignored = ::chdir(directory);
    }
}

/// Shutdown functions and destructors find the worker's own directory, and may leave it again.
void returnHome() noexcept {
    if (state.homeDirectory >= 0) {
        [[maybe_unused]] const int ignored = ::fchdir(state.homeDirectory);
    }
}

/// `path`: as the script is called, or where it really is.
void execute(zend_file_handle* file, const char* path, RequestIo& io) noexcept {
    const bool ownDirectory = state.homeDirectory >= 0;
    if (ownDirectory) {
        SG(options) |= SAPI_OPTION_NO_CHDIR;
        enterDirectoryOf(path);
    }
    io.scriptStarts();
    EG(exit_status) = 0;
    state.executing = true;
    php_execute_script(file);
    state.executing = false;
    returnHome();
}

/// fastcgi.error_header: a header line for responses of scripts that died.
void applyErrorHeader() noexcept {
    const char* line = moduleSettings.errorHeader;
    if (EG(exit_status) != kFatalExit || line == nullptr || *line == '\0' || SG(headers_sent)) {
        return;
    }
    zend_try {
        sapi_header_line header = {};
        header.line = line;
        header.line_len = std::strlen(line);
        sapi_header_op(SAPI_HEADER_REPLACE, &header);
    }
    zend_end_try();
}

/// The script runs under the name of the place where it really is: links on the way that somebody
/// turns meanwhile lead neither the engine nor relative includes elsewhere.
void serveConfined(RequestIo& io, const ExecBasedir& base) noexcept {
    const char* script = state.path.script;
    char real[PATH_MAX];
    const ExecBasedir::Place place = base.placeOf(script, real);
    if (place == ExecBasedir::Place::outside && !engineChoosesScript()) {
        deny(script, kExecBasedir);
        return;
    }
    const bool inside = place == ExecBasedir::Place::inside;
    zend_file_handle file;
    std::memset(&file, 0, sizeof file);
    if (!openScript(&file, inside ? real : script, inside ? kindOf(real) : FileKind::missing)) {
        refuseUnopened(errno, script);
        return;
    }
    if (openedInside(&file, base, real)) {
        execute(&file, real, io);
    } else {
        deny(script, kExecBasedir);
    }
    closeScript(&file);
}

/// Everything between the engine's request start-up and shutdown.
void serve(RequestIo& io, const RequestRules& rules) noexcept {
    EG(exit_status) = 0;
    if (SG(request_info).request_method == nullptr) {
        return;
    }
    const char* script = state.path.script;
    if (script == nullptr) {
        zend_try {
            logMessage(LogLevel::debug, "Primary script unknown");
        }
        zend_end_try();
        answer(404, "File not found.\n");
        return;
    }
    if (!extensionAllowed(script, rules.extensions)) {
        deny(script, "security.limit_extensions");
        return;
    }
    if (rules.execBasedir.limits()) {
        serveConfined(io, rules.execBasedir);
        return;
    }
    zend_file_handle file;
    std::memset(&file, 0, sizeof file);
    if (!openScript(&file, script, state.path.kind)) {
        refuseUnopened(errno, script);
        return;
    }
    execute(&file, ZSTR_VAL(file.filename), io);
    closeScript(&file);
}

void report(RequestIo& io) noexcept {
    RequestResult result;
    result.timedOut = io.timeIsUp();
    result.abandoned = state.abandoned;
    result.status = result.timedOut && !io.finished() ? kGatewayTimeout
                    : state.stalled                   ? kRequestTimeout
                    : state.abandoned                 ? kClientClosedRequest
                                                      : SG(sapi_headers).http_response_code;
    // Shutdown functions run, also when the script came to its end before it could be told.
    state.toldLate = result.timedOut;
    result.memoryPeak = zend_memory_peak_usage(true);
    result.header = responseHeader;
    io.scriptReturned(result);
    if (result.timedOut) {
        io.finishTimedOut();
    }
}

/// Without a length the engine cannot see that a form was cut short: nothing may act on it.
bool formWasCut(RequestIo& io) noexcept {
    return state.bodyUntilEnd && io.bodyAborted();
}

RunOutcome fitness() noexcept {
    if (state.processChanged) {
        return RunOutcome::changed;
    }
    return state.memoryExhausted ? RunOutcome::exhausted : RunOutcome::served;
}

}  // namespace

RequestInfo resolveRequest(RequestIo& io, PathResolver& resolver,
                           const RequestRules& pool) noexcept {
    beginRequest(io);
    undoRequestSettings();  // of one that was answered without being run
    forgetUser();
    clearRequestInfo();
    SG(server_context) = &io;
    fastcgi::Params& params = io.params();
    const PathRules rules{moduleSettings.fixPathinfo, moduleSettings.discardPath, PG(doc_root)};
    state.path = resolver.resolve(params, rules, kindOf);
    SG(sapi_headers).http_response_code = state.path.notFound ? 404 : 200;
    SG(request_info).request_method = params.get("REQUEST_METHOD");
    if (state.path.hasCandidate) {
        takeBodyLength(params);
        fillRequestInfo(params);
    }
    if (pool.allowPhpValue) {
        applyRequestSettings();
    } else {
        refuseRequestSettings();
    }

    RequestInfo info;
    info.method = SG(request_info).request_method;
    info.uri = state.path.uri;
    info.query = SG(request_info).query_string;
    info.script = state.path.script;
    info.user = SG(request_info).auth_user;
    info.contentLength = state.bodyLength;
    return info;
}

RunOutcome runRequest(RequestIo& io, const RequestRules& rules) noexcept {
    if (state.path.script != nullptr) {
        SG(request_info).path_translated = estrdup(state.path.script);
    }
    if (php_request_startup() == FAILURE) {
        io.finish();
        endRequest();
        return RunOutcome::broken;
    }
    if (io.timeIsUp()) {
        // Nothing of the script runs: the client sent the body too slowly.
    } else if (io.bodyStalled()) {
        zend_try {
            finishStalled();
        }
        zend_end_try();
    } else if (formWasCut(io)) {
        answer(400, "The request's body is incomplete.\n");
    } else {
        serve(io, rules);
    }
    applyErrorHeader();
    report(io);
    if (SG(request_info).path_translated != nullptr) {
        efree(SG(request_info).path_translated);
        SG(request_info).path_translated = nullptr;
    }
    php_request_shutdown(nullptr);
    undoRequestSettings();
    returnHome();
    SG(server_context) = nullptr;
    clearRequestInfo();
    endRequest();
    return fitness();
}

}  // namespace muster::php
