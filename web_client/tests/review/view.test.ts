import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refused } from "../../src/review/api";
import type { Detail } from "../../src/review/model";
import { View } from "../../src/review/view";

const HOURS = 4 * 3600;
const opened = (view: string): Detail => ({
  entry: { id: "r1", room: "7QK2", state: "sealed", started_ms: 0, seconds: 8, title: "", reference: "", staff: [] },
  seconds: 8, tracks: [], events: [], bookmarks: [], rights: [], view, view_seconds: HOURS, verified: true, use: "quality",
});

class Server {
  count = 1;
  refusal: Error | null = null;
  readonly uses: string[] = [];
  readonly closed: string[] = [];

  open(_: string, use: string): Promise<Detail> {
    if (this.refusal !== null) return Promise.reject(this.refusal);
    this.uses.push(use);
    return Promise.resolve(opened(`v${++this.count}`));
  }

  standing = true;
  stands(): Promise<boolean> {
    return Promise.resolve(this.standing);
  }

  close(_: string, view: string): void {
    this.closed.push(view);
  }
}

describe("a view", () => {
  let server: Server;
  let lost: string[];
  let view: View;
  beforeEach(() => {
    vi.useFakeTimers();
    server = new Server();
    lost = [];
    view = new View(server, opened("v1"), (code) => lost.push(code));
  });
  afterEach(() => {
    view.close();
    vi.useRealTimers();
  });

  it("is opened anew before its time is over, and the old one plays on", async () => {
    expect(view.segment("t", 3)).toBe("/api/v1/recordings/r1/tracks/t/segments/3?view=v1");
    await vi.advanceTimersByTimeAsync(HOURS * 1000 * 0.89);
    expect(server.uses).toEqual([]);
    await vi.advanceTimersByTimeAsync(HOURS * 1000 * 0.02);
    expect([server.uses, server.closed]).toEqual([["quality"], []]);
    expect(view.thumbnail("t", 3.7)).toBe("/api/v1/recordings/r1/tracks/t/thumbnails/3?view=v2");
    await vi.advanceTimersByTimeAsync(HOURS * 1000);
    expect(view.file("x", "film.mp4")).toBe("/api/v1/recordings/r1/exports/x/files/film.mp4?view=v3");
    view.close();
    expect(server.closed).toEqual(["v3", "v2"]);
  });

  it("that the server knows no more is opened anew, once for all who ask", async () => {
    await view.check();
    expect(server.uses).toEqual([]);
    server.standing = false;
    await Promise.all([view.check(), view.check(), view.check()]);
    expect(server.uses).toEqual(["quality"]);
    expect(view.segment("t", 0)).toContain("view=v2");
  });

  it("that is refused says why, and is asked for again only where that passes", async () => {
    server.standing = false;
    server.refusal = new Refused("limit_reached");
    await view.check();
    expect(lost).toEqual([]);
    server.refusal = new Refused("teaching_not_consented");
    await vi.advanceTimersByTimeAsync(30_000);
    expect(lost).toContain("teaching_not_consented");
  });

  it("that was closed while another was being opened ends that, too", async () => {
    server.standing = false;
    const checking = view.check();
    view.close();
    await checking;
    expect(server.closed).toEqual(["v1"]);
    expect(server.uses).toEqual([]);
  });
});
