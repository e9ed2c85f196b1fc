// WordPress: installed, a post with a picture written in the block editor, read by a stranger.
import { run, shownSize } from './visit.js';

const admin = { user: 'ann', password: 'a long secret of the test' };

async function setUp(visit, page) {
    const { database } = visit.settings;
    await page.goto(visit.base + '/');
    await page.getByRole('link', { name: 'Let’s go!' }).click();
    await page.fill('#dbname', database.name);
    await page.fill('#uname', database.name);
    await page.fill('#pwd', database.password);
    await page.fill('#dbhost', `localhost:${database.socket}`);
    await visit.screenshot(page, 'set-up');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('link', { name: 'Run the installation' }).click();
    await page.fill('#weblog_title', 'The blog of the test');
    await page.fill('#user_login', admin.user);
    await page.fill('#pass1', admin.password);
    await page.fill('#admin_email', 'ann@example.org');
    await page.getByRole('button', { name: 'Install WordPress' }).click();
    await page.getByRole('heading', { name: 'Success!' }).waitFor();
    await visit.screenshot(page, 'installed');
}

async function logIn(visit, page) {
    await page.getByRole('link', { name: 'Log In' }).click();
    await page.fill('#user_login', admin.user);
    await page.fill('#user_pass', admin.password);
    await page.getByRole('button', { name: 'Log In' }).click();
    await page.getByRole('heading', { name: 'Dashboard', level: 1 }).waitFor();
    await visit.screenshot(page, 'dashboard');
}

async function choosePermalinks(page, base) {
    await page.goto(base + '/wp-admin/options-permalink.php');
    await page.getByLabel('Post name').check();
    await page.getByRole('button', { name: 'Save Changes' }).click();
    await page.getByText('Permalink structure updated').waitFor();
}

async function writePost(visit, page) {
    await page.goto(visit.base + '/wp-admin/post-new.php');
    await page.getByRole('button', { name: 'Close dialog' }).click();
    await page.getByRole('textbox', { name: 'Add title' }).fill('Grüße from the daemon');
    await page.getByRole('button', { name: 'Add default block' }).click();
    await page.keyboard.type('A picture follows.');
    await page.keyboard.press('Enter');
    await page.keyboard.type('/image');
    await page.getByRole('option', { name: 'Image', exact: true }).click();
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Upload', exact: true }).click();
    await (await chooser).setFiles(visit.settings.picture);
    await page.locator('figure.wp-block-image img[src*="/wp-content/uploads/"]').waitFor();
    await page.locator('.wp-block-image .components-spinner').waitFor({ state: 'detached' });
    await visit.screenshot(page, 'editor');
    // The editor's page, its session and its nonces are older than the workers that take the post.
    await visit.ask('reload');
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    const panel = page.getByRole('region', { name: 'Editor publish' });
    await panel.getByRole('button', { name: 'Publish', exact: true }).click();
    await page.getByText('is now live').waitFor();
    await visit.screenshot(page, 'published');
}

async function readAsStranger(visit) {
    const page = await visit.newVisitor();
    await page.goto(visit.base + '/');
    await visit.screenshot(page, 'front-page');
    await page.getByRole('link', { name: 'Grüße from the daemon' }).first().click();
    const image = page.locator('figure.wp-block-image img');
    const shown = await shownSize(image);
    await visit.screenshot(page, 'post');
    const address = page.url();
    await page.fill('#comment', 'Read & understood <3');
    await page.fill('#author', 'A stranger');
    await page.fill('#email', 'stranger@example.org');
    await page.getByRole('button', { name: 'Post Comment' }).click();
    await page.getByText('Your comment is awaiting moderation').waitFor();
    const comment = await page.locator('.wp-block-comment-content').innerText();
    return { address, shown, comment };
}

run(async (visit) => {
    const page = await visit.newVisitor();
    await setUp(visit, page);
    await logIn(visit, page);
    await choosePermalinks(page, visit.base);
    await writePost(visit, page);
    return readAsStranger(visit);
});
