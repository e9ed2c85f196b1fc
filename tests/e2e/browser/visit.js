// One visit to a site with Chromium: pages, screenshots, what went wrong, and talk with the Python test.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const settings = JSON.parse(process.argv[2]);
const { chromium } = createRequire(join(settings.playwright, 'package.json'))('playwright-core');
const fromTest = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

function tell(message) {
    process.stdout.write(JSON.stringify(message) + '\n');
}

class Visit {
    constructor(browser) {
        this.base = settings.base;
        this.settings = settings;
        this.complaints = [];
        this.browser = browser;
        this.screenshots = 0;
    }

    isOurs(url) {
        return url.startsWith(this.base + '/') || url.startsWith('blob:' + this.base);
    }

    // A visitor with cookies of their own.
    async newVisitor(options = {}) {
        const context = await this.browser.newContext({
            viewport: { width: 1280, height: 900 },
            acceptDownloads: true,
            ...options,
        });
        // Long, for a database on a disk that others write to.
        context.setDefaultTimeout(90000 * settings.patience);
        // Avatars and news from elsewhere: there is no elsewhere.
        await context.route((url) => !this.isOurs(url.href), (route) => route.abort());
        const page = await context.newPage();
        this.listen(page);
        return page;
    }

    listen(page) {
        page.on('pageerror', (error) => this.complain(`script: ${error.stack || error}`));
        page.on('console', (message) => {
            if (message.type() === 'error' && this.isOurs(message.location().url)) {
                this.complain(`console: ${message.text()} (${message.location().url})`);
            }
        });
        page.on('response', (answer) => {
            if (answer.status() >= 400 && this.isOurs(answer.url())) {
                this.complain(`${answer.status()} for ${answer.request().method()} ${answer.url()}`);
            }
        });
        page.on('requestfailed', (request) => {
            // Chromium ends requests itself when a page is left, and when it turns one into a download.
            const reason = request.failure()?.errorText;
            if (this.isOurs(request.url()) && reason !== 'net::ERR_ABORTED') {
                this.complain(`${reason} for ${request.method()} ${request.url()}`);
            }
        });
    }

    complain(text) {
        this.complaints.push(text);
    }

    async screenshot(page, name) {
        this.screenshots += 1;
        const number = String(this.screenshots).padStart(2, '0');
        await page.screenshot({ path: join(settings.screenshots, `${number}-${name}.png`) });
    }

    // Asks the test to do something in the middle of the visit, and waits until it is done.
    async ask(what) {
        tell({ ask: what });
        await fromTest.next();
    }
}

// The size in which the browser shows an image; it must have been decoded.
export async function shownSize(image) {
    await image.scrollIntoViewIfNeeded();
    return image.evaluate(async (element) => {
        await element.decode();
        return [element.naturalWidth, element.naturalHeight];
    });
}

// Runs `story(visit)`; what it returns and what the browser complained about goes to the test.
export async function run(story) {
    const browser = await chromium.launch({
        executablePath: settings.chromium,
        args: ['--disable-dev-shm-usage', '--disable-gpu', '--no-proxy-server'],
    });
    const visit = new Visit(browser);
    try {
        const found = await story(visit);
        tell({ found, complaints: visit.complaints });
    } catch (error) {
        const pages = browser.contexts().flatMap((context) => context.pages());
        for (const page of pages) {
            await visit.screenshot(page, 'failed');
        }
        const where = pages.map((page) => page.url()).join(', ');
        tell({ failed: `${error.stack}\nat ${where}`, complaints: visit.complaints });
    } finally {
        await browser.close();
    }
    process.exit(0);
}
