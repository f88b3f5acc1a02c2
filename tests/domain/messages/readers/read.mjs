// What ical.js and node-ical read in calendar files: a JSON list of texts comes in, lists of facts go out.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";
import ical from "node-ical";

const bare = (address) => address.replace(/^mailto:/i, "");

function byIcalJs(text) {
  const calendar = new ICAL.Component(ICAL.parse(text));
  const event = new ICAL.Event(calendar.getFirstSubcomponent("vevent"));
  return {
    start: event.startDate.toUnixTime(),
    end: event.endDate.toUnixTime(),
    uid: event.uid,
    sequence: event.sequence,
    summary: event.summary,
    organizer: bare(event.organizer),
  };
}

function byNodeIcal(text) {
  const [event] = Object.values(ical.sync.parseICS(text)).filter((found) => found.type === "VEVENT");
  return {
    start: event.start.getTime() / 1000,
    end: event.end.getTime() / 1000,
    uid: event.uid,
    sequence: Number(event.sequence),
    summary: event.summary,
    organizer: bare(event.organizer.val),
  };
}

const texts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify({ "ical.js": texts.map(byIcalJs), "node-ical": texts.map(byNodeIcal) }));
