// Chooses the page for a request's parameters.
#include "manager/status_answer.h"

#include "worker/pages.h"

namespace muster::manager {
namespace {

/// As the runtime would see it, for scripts that are no files: without a script there is no URI.
RequestInfo infoOf(const fastcgi::Params& params) {
    RequestInfo info;
    info.method = params.get("REQUEST_METHOD");
    info.query = params.get("QUERY_STRING");
    if (params.get("SCRIPT_FILENAME") != nullptr || params.get("PATH_TRANSLATED") != nullptr) {
        info.uri = params.get("SCRIPT_NAME");
    }
    return info;
}

std::string notFound(std::string_view poweredBy) {
    std::string answer = "Status: 404 Not Found\r\n";
    if (!poweredBy.empty()) {
        answer.append(poweredBy).append("\r\n");
    }
    return answer + "Content-type: text/html; charset=UTF-8\r\n\r\nFile not found.\n";
}

}  // namespace

std::string statusAnswer(const config::PoolSettings& pool, const fastcgi::Params& params,
                         std::string_view poweredBy,
                         const std::function<scoreboard::PoolSnapshot()>& snapshot) {
    const RequestInfo info = infoOf(params);
    worker::PageResponse page;
    switch (worker::pageFor(pool, info)) {
        case worker::Page::none:
            return notFound(poweredBy);
        case worker::Page::ping:
            page = worker::pingPage(pool, info, poweredBy);
            break;
        case worker::Page::status:
            page = worker::statusPage(pool, snapshot(), info, poweredBy);
            break;
    }
    return page.headers + page.body;
}

}  // namespace muster::manager
