// What a supervisor follows: the supervised list, major projects, joint meetings, mediation and its organisations.
import { head } from "./office.js";
import { tabbed } from "./office_tabs.js";
import { ready } from "./page.js";
import { cases } from "./supervision/cases.js";
import { listings } from "./supervision/listings.js";
import { meetings } from "./supervision/meetings.js";
import { organisations } from "./supervision/organisations.js";
import { projects } from "./supervision/projects.js";
import { say } from "./text.js";

await tabbed(head(), [
  { key: "listings", title: say("supervisedList"), show: listings },
  { key: "projects", title: say("majorProjects"), show: projects },
  { key: "meetings", title: say("jointMeetings"), show: meetings },
  { key: "cases", title: say("mediationCases"), show: cases },
  { key: "organisations", title: say("organisations"), show: organisations },
]);
ready();
