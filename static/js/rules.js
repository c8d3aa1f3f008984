// What the city decides itself: categories, loops, limits, working time, rosters, levels, posts, and where cameras
// come from; each by its right.
import { element } from "./element.js";
import { head, panel } from "./office.js";
import { tabbed } from "./office_tabs.js";
import { may, ready } from "./page.js";
import { categories } from "./rules/categories.js";
import { calendar } from "./rules/calendar.js";
import { hosts } from "./rules/hosts.js";
import { levels } from "./rules/levels.js";
import { limits } from "./rules/limits.js";
import { loops } from "./rules/loops.js";
import { platforms } from "./rules/platforms.js";
import { posts } from "./rules/posts.js";
import { proposals } from "./rules/proposals.js";
import { roster } from "./rules/roster.js";
import { say } from "./text.js";

/** @type {[right: string, section: import("./office_tabs.js").Section][]} */
const SECTIONS = [
  ["workflow.rules", { key: "categories", title: say("categories"), show: categories }],
  ["workflow.rules", { key: "loops", title: say("loops"), show: loops }],
  ["workflow.rules", { key: "limits", title: say("timeLimits"), show: limits }],
  ["workflow.rules", { key: "calendar", title: say("workingTime"), show: calendar }],
  ["duties.write", { key: "roster", title: say("whoIsOnDuty"), show: roster }],
  ["workflow.rules", { key: "levels", title: say("levels"), show: levels }],
  ["layers.write", { key: "posts", title: say("policePosts"), show: posts }],
  ["layers.write", { key: "platforms", title: say("cameraPlatforms"), show: platforms }],
  ["layers.write", { key: "proposals", title: say("cameraProposals"), show: proposals }],
  ["streams", { key: "hosts", title: say("streamHosts"), show: hosts }],
];

const main = head();
const mine = SECTIONS.filter(([right]) => may(right)).map(([, section]) => section);
if (mine.length) await tabbed(main, mine);
else main.append(panel(say("rules"), element("p", { textContent: say("nothingForYou") })));
ready();
