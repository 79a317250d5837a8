import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Recovery } from "../../src/client/recovery";

class Transport {
  iceConnectionState: RTCIceConnectionState = "connected";
}

describe("recovery", () => {
  let transport: Transport;
  let restarts: number[];
  let gaveUp: number;
  let recovery: Recovery;
  const become = (state: RTCIceConnectionState): void => {
    transport.iceConnectionState = state;
    recovery.changed();
  };

  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
    transport = new Transport();
    restarts = [];
    gaveUp = 0;
    recovery = new Recovery(
      transport,
      () => {
        restarts.push(Date.now());
        return Promise.resolve();
      },
      () => (gaveUp += 1),
      () => Date.now(),
    );
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("lets a short disconnection heal by itself", async () => {
    become("disconnected");
    await vi.advanceTimersByTimeAsync(1_900);
    become("connected");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(restarts).toEqual([]);
  });

  it("restarts after two seconds of disconnection, and at once when failed", async () => {
    become("disconnected");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(restarts).toEqual([2_000]);
    become("connected");
    await vi.advanceTimersByTimeAsync(10_000);
    become("failed");
    await vi.advanceTimersByTimeAsync(0);
    expect(restarts).toEqual([2_000, 12_000]);
  });

  it("restarts at once on a changed network, but never twice within three seconds", async () => {
    recovery.networkChanged();
    await vi.advanceTimersByTimeAsync(0);
    recovery.networkChanged();
    await vi.advanceTimersByTimeAsync(2_999);
    expect(restarts).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1);
    expect(restarts).toEqual([0, 3_000]);
  });

  it("gives up after five restarts that did not help", async () => {
    become("failed");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(restarts).toHaveLength(5);
    expect(gaveUp).toBe(1);
  });

  it("counts anew after a connection", async () => {
    become("failed");
    await vi.advanceTimersByTimeAsync(9_500);
    become("connected");
    become("failed");
    await vi.advanceTimersByTimeAsync(14_000);
    expect(restarts.length).toBeGreaterThan(5);
    expect(gaveUp).toBe(0);
  });

  it("does nothing for a transport that was never used or is closed", async () => {
    transport.iceConnectionState = "new";
    recovery.networkChanged();
    become("closed");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(restarts).toEqual([]);
  });
});
