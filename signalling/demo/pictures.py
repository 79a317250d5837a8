"""What the synthetic theatre's cameras see, drawn with OpenCV:
a moving endoscope-like picture, a vital-signs monitor."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from signalling.demo.marks import Mark, Picture, draw

_TISSUE = np.array([70, 80, 190], np.float32)
"""Reddish, in BGR."""


@dataclass
class Endoscope:
    """Soft tissue that breathes, a vessel that pulses and
    an instrument that moves, in a round field of view."""

    width: int = 1280
    height: int = 720
    _field: Picture = field(init=False)
    _texture: Picture = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(7)
        # Twice the picture, so that a moving window always finds tissue.
        noise = random.normal(0, 1, (self.height // 8, self.width // 8)).astype(np.float32)
        texture = cv2.GaussianBlur(
            cv2.resize(noise, (self.width * 2, self.height * 2), interpolation=cv2.INTER_CUBIC), (0, 0), 5
        )
        tissue = _TISSUE + texture[:, :, np.newaxis] * np.array([30, 34, 60], np.float32)
        self._texture = np.clip(tissue, 0, 255).astype(np.uint8)
        self._field = np.zeros((self.height, self.width), np.uint8)
        cv2.circle(self._field, (self.width // 2, self.height // 2), int(self.height * 0.49), 255, -1)

    def draw(self, seconds: float, mark: Mark) -> Picture:
        """A picture of shape (height, width, 3), BGR, as seen ``seconds`` after the start."""
        breath = math.sin(seconds * 2 * math.pi / 4)
        left = int(self.width / 2 + self.width * 0.12 * math.sin(seconds * 0.31))
        top = int(self.height / 2 + self.height * 0.10 * breath)
        picture = self._texture[top : top + self.height, left : left + self.width].copy()
        self._vessel(picture, seconds)
        self._instrument(picture, seconds)
        seen = cv2.bitwise_and(picture, picture, mask=self._field).astype(np.uint8, copy=False)
        draw(seen, mark)
        return seen

    def _vessel(self, picture: Picture, seconds: float) -> None:
        pulse = 6 + int(3 * max(0.0, math.sin(seconds * 2 * math.pi * 1.2)))
        xs = np.linspace(self.width * 0.2, self.width * 0.8, 40)
        ys = self.height * 0.55 + 40 * np.sin(xs / 90 + 0.4 * math.sin(seconds))
        points = np.stack([xs, ys], axis=1).astype(np.int32)
        cv2.polylines(picture, [points], False, (40, 30, 140), pulse * 2, cv2.LINE_AA)
        cv2.polylines(picture, [points], False, (60, 50, 200), pulse, cv2.LINE_AA)

    def _instrument(self, picture: Picture, seconds: float) -> None:
        tip = (
            int(self.width * (0.5 + 0.16 * math.sin(seconds * 0.9))),
            int(self.height * (0.5 + 0.16 * math.cos(seconds * 1.3))),
        )
        cv2.line(
            picture, (int(self.width * 0.95), int(self.height * 0.98)), tip, (150, 150, 155), 22, cv2.LINE_AA
        )
        cv2.line(
            picture, (int(self.width * 0.95), int(self.height * 0.97)), tip, (215, 215, 220), 6, cv2.LINE_AA
        )
        opening = 0.25 + 0.2 * math.sin(seconds * 2.1)
        for side in (-opening, opening):
            angle = math.atan2(tip[1] - self.height * 0.98, tip[0] - self.width * 0.95) + side
            end = (int(tip[0] + 46 * math.cos(angle)), int(tip[1] + 46 * math.sin(angle)))
            cv2.line(picture, tip, end, (200, 200, 205), 9, cv2.LINE_AA)


@dataclass
class Monitor:
    """Curves and numbers of a patient monitor; the values are invented."""

    width: int = 960
    height: int = 540

    def draw(self, seconds: float, mark: Mark) -> Picture:
        """A picture of shape (height, width, 3), BGR, as seen ``seconds`` after the start."""
        picture = np.zeros((self.height, self.width, 3), np.uint8)
        rows = (
            ("ECG", (90, 220, 90), _heart(seconds, 1.2), f"{72 + round(2 * math.sin(seconds / 7))}", "/min"),
            ("SpO2", (230, 200, 60), _wave(seconds, 1.2), f"{98 + round(math.sin(seconds / 11))}", "%"),
            ("RESP", (60, 220, 230), _wave(seconds, 0.25), "15", "/min"),
        )
        for index, (name, colour, curve, value, unit) in enumerate(rows):
            self._row(picture, index, name, colour, curve, value, unit)
        cv2.putText(
            picture,
            "SYNTHETIC - NO PATIENT",
            (20, self.height - 40),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.7,
            (180, 180, 180),
            2,
        )
        draw(picture, mark)
        return picture

    def _row(
        self,
        picture: Picture,
        index: int,
        name: str,
        colour: tuple[int, int, int],
        curve: np.ndarray[tuple[int], np.dtype[np.float64]],
        value: str,
        unit: str,
    ) -> None:
        middle = int(self.height * (0.18 + 0.27 * index))
        xs = np.linspace(20, self.width * 0.72, curve.size)
        points = np.stack([xs, middle - curve * self.height * 0.10], axis=1).astype(np.int32)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
        cv2.putText(picture, name, (20, middle - 50), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 2)
        at = (int(self.width * 0.75), middle + 15)
        cv2.putText(picture, value, at, cv2.FONT_HERSHEY_SIMPLEX, 2.2, colour, 4)
        cv2.putText(picture, unit, (at[0] + 150, at[1]), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 2)


def _phase(seconds: float, rate: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return (np.linspace(seconds - 4, seconds, 400) * rate) % 1.0


def _heart(seconds: float, rate: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    phase = _phase(seconds, rate)

    def bump(at: float, width: float, height: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return height * np.exp(-(((phase - at) / width) ** 2))

    return bump(0.2, 0.03, 0.15) + bump(0.3, 0.010, 1.0) - bump(0.33, 0.012, 0.3) + bump(0.55, 0.05, 0.25)


def _wave(seconds: float, rate: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    phase = _phase(seconds, rate)
    return 0.5 * np.sin(2 * np.pi * phase) + 0.2 * np.sin(4 * np.pi * phase)
