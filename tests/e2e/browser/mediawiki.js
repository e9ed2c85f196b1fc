// MediaWiki: installed by its web installer, a picture uploaded, a page written with it and read.
import { run, shownSize } from './visit.js';

const admin = { user: 'Ann', password: 'a long secret of the test' };

async function install(visit, page) {
    const next = () => page.click('input[name="submit-continue"]');
    await page.goto(visit.base + '/mw-config/index.php');
    await next();
    await page.getByText('The environment has been checked').waitFor();
    await visit.screenshot(page, 'environment');
    await next();
    await page.getByRole('radio', { name: 'SQLite' }).check();
    await page.fill('#sqlite_wgSQLiteDataDir', visit.settings.data);
    await next();
    await page.fill('#config_wgSitename', 'The wiki of the test');
    await page.fill('#config__AdminName', admin.user);
    await page.fill('#config__AdminPassword', admin.password);
    await page.fill('#config__AdminPasswordConfirm', admin.password);
    await page.fill('#config__AdminEmail', 'ann@example.org');
    await page.getByLabel('Ask me more questions.').check();
    await next();
    await page.getByLabel('Enable file uploads').check();
    await visit.screenshot(page, 'options');
    await next();
    await next();
    await page.getByText('Creating main page with default content').waitFor();
    await visit.screenshot(page, 'installing');
    const download = page.waitForEvent('download');
    await next();
    await (await download).saveAs(visit.settings.localSettings);
    await visit.screenshot(page, 'installed');
    await visit.ask('configured');
}

async function logIn(visit, page) {
    await page.goto(visit.base + '/index.php?title=Special:UserLogin');
    await page.fill('#wpName1', admin.user);
    await page.fill('#wpPassword1', admin.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('link', { name: admin.user, exact: true }).waitFor();
    await visit.screenshot(page, 'logged-in');
}

async function upload(visit, page) {
    await page.goto(visit.base + '/index.php/Special:Upload');
    await page.setInputFiles('#wpUploadFile', visit.settings.picture);
    await page.fill('#wpDestFile', 'Harbour.png');
    await page.getByRole('button', { name: 'Upload file' }).click();
    await page.getByRole('heading', { name: 'File:Harbour.png' }).waitFor();
    await visit.screenshot(page, 'uploaded');
}

async function write(visit, page) {
    await page.goto(visit.base + '/index.php?title=Grüße&action=edit');
    await page.fill(
        '#wpTextbox1',
        "== From ''the'' daemon ==\n[[File:Harbour.png|thumb|300px|A sunset]]\n" +
            'Written with {{PAGENAME}} & <nowiki>{{braces}}</nowiki>.\n\n' +
            '{| class="wikitable"\n! one !! two\n|-\n| 1 || 2\n|}\n',
    );
    await page.fill('#wpSummary', 'by the test');
    // The form, its token and the session are older than the workers that take it.
    await visit.ask('reload');
    await page.getByRole('button', { name: 'Save page' }).click();
    await page.getByRole('heading', { name: 'From the daemon' }).waitFor();
    await visit.screenshot(page, 'saved');
}

async function readAsStranger(visit) {
    const page = await visit.newVisitor();
    await page.goto(visit.base + '/index.php/Grüße');
    const shown = await shownSize(page.locator('.thumb img, figure img').first());
    const text = await page.locator('.mw-parser-output > p').first().innerText();
    await visit.screenshot(page, 'read');
    await page.getByRole('link', { name: 'View history' }).click();
    await page.getByText('by the test').waitFor();
    await page.getByPlaceholder('Search').first().fill('braces');
    await page.keyboard.press('Enter');
    await page.getByText('Search results').first().waitFor();
    await visit.screenshot(page, 'search');
    return { shown, text };
}

run(async (visit) => {
    const page = await visit.newVisitor();
    await install(visit, page);
    await logIn(visit, page);
    await upload(visit, page);
    await write(visit, page);
    return readAsStranger(visit);
});
