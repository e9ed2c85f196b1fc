// Chooses the page for a request's parameters.
#include "manager/status_answer.h"

#include "worker/pages.h"

namespace muster::manager {

RequestInfo requestInfoOf(const fastcgi::Params& params) {
    RequestInfo info;
    info.method = params.get("REQUEST_METHOD");
    info.query = params.get("QUERY_STRING");
    if (params.get("SCRIPT_FILENAME") != nullptr || params.get("PATH_TRANSLATED") != nullptr) {
        info.uri = params.get("SCRIPT_NAME");
    }
    return info;
}

std::string statusAnswer(const config::PoolSettings& pool, const fastcgi::Params& params,
                         const PageSettings& settings,
                         const std::function<scoreboard::PoolSnapshot()>& snapshot) {
    const RequestInfo info = requestInfoOf(params);
    worker::PageResponse page;
    switch (worker::pageFor(pool, info)) {
        case worker::Page::none:
            page = worker::notFoundPage(settings);
            break;
        case worker::Page::ping:
            page = worker::pingPage(pool, info, settings);
            break;
        case worker::Page::status:
            page = worker::statusPage(pool, snapshot(), info, settings);
            break;
    }
    return page.headers + page.body;
}

}  // namespace muster::manager
