"""Pictures of a running network: roads, what has green, and every vehicle coloured by its speed. North is up.

Junctions stand where they are, at one scale both ways; roads and junctions that would be too narrow to see are drawn
wider. Everything is drawn at twice the size and scaled down, which smooths all edges. Reads a `TrafficCore` and changes
nothing in it. Needs pygame, which is imported when a picture is first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.core import TrafficCore
from intergreen.envs.simulation.motion import HALTED_BELOW_MPS
from intergreen.envs.simulation.statics import LENGTH, MAX_SPEED, N_COLUMNS
from intergreen.envs.simulators import engine_core
from intergreen.envs.street_map import HEADER_PX, MARGIN_PX, Paths, Placement, rectangles

if TYPE_CHECKING:
    import pygame

    from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
    from intergreen.envs.core import Core

RENDER_MODES = ("rgb_array", "human")
RENDER_FPS = 5  # decisions shown in a second

SMOOTHING = 2  # drawn so many times larger
ROAD_SMOOTHING = 2  # and what never changes, again
LANE_SHARE = 0.84  # of a lane's width is drawn in the lane's colour; what is left separates lanes
VEHICLE_SHARE = 0.5  # of a lane's width
STOP_LINE_M, THINNEST_STOP_LINE_PX = 2.0, 2.0

Colour = tuple[int, int, int]
GROUND: Colour = (24, 27, 33)
KERB: Colour = (42, 46, 54)
ASPHALT: Colour = (64, 70, 82)
MIDDLE_LINE: Colour = (150, 132, 74)
TEXT: Colour = (226, 230, 236)
QUIET_TEXT: Colour = (150, 158, 170)
SIGNAL_GREEN: Colour = (38, 166, 104)
SIGNAL_RED: Colour = (200, 48, 52)
STANDING, SLOW, FREE = (255, 92, 80), (255, 210, 90), (130, 240, 150)
_SHADES = 33


class Screen:
    """The picture of one replica as an environment shows it: an array, a window, or nothing.

    A pickled screen comes back without its window and opens it again when asked.

    Parameters
    ----------
    mode : one of `RENDER_MODES`, or None
    """

    def __init__(self, core: Core, title: str, mode: str | None, modes: Sequence[str] = RENDER_MODES) -> None:
        if mode is not None and mode not in modes:
            raise ValueError(f"there is no render_mode {mode!r}; use one of {', '.join(modes)}, or None")
        if mode is not None:
            core = engine_core(core, title, "be drawn")
            import_pygame()
        self.mode = mode
        self.can_draw = isinstance(core, TrafficCore)
        self._core, self._title = core, title
        self._picture: Picture | None = None
        self._window: Any = None
        self._clock: Any = None

    def render(self, replica: int = 0) -> ByteArray | None:
        """The picture now, (H, W, 3) uint8; in a window, and None, for mode "human"; None without a mode."""
        if self.mode is None:
            return None
        if self._picture is None:
            self._picture = Picture(engine_core(self._core, self._title, "be drawn"), self._title)
        if self.mode == "rgb_array":
            return self._picture.array(replica)
        self._show(self._picture.draw(replica))
        return None

    def after_step(self) -> None:
        """Bring the window up to date, if there is one."""
        if self.mode == "human":
            self.render()

    def close(self) -> None:
        """Close the window."""
        if self._has_window():
            import_pygame().display.quit()
        self._picture = self._window = self._clock = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_picture": None, "_window": None, "_clock": None}

    def _has_window(self) -> bool:
        """Is there one, and still this screen's? A process has one, which another screen may have taken, or closed."""
        if self._window is None:
            return False
        display = import_pygame().display
        return display.get_init() and display.get_surface() is self._window

    def _show(self, surface: pygame.Surface) -> None:
        pygame = import_pygame()
        if not self._has_window():
            pygame.display.init()
            self._window = pygame.display.set_mode(surface.get_size())
            pygame.display.set_caption(f"Intergreen: {self._title}")
            self._clock = pygame.time.Clock()
        pygame.event.pump()
        self._window.blit(surface, (0, 0))
        pygame.display.flip()
        self._clock.tick(RENDER_FPS)


class Picture:
    """Draws one core; the roads once, the rest every time."""

    def __init__(self, core: TrafficCore, title: str) -> None:
        self._pygame = pygame = import_pygame()
        self._core, self._title = core, title
        network = core.network
        self._place = Placement(network)
        self._widening = self._place.widening
        self._paths = Paths(network, self._widening)
        self._lane_width_m: FloatArray = network.lane_width_m * self._widening
        self.size = self._place.size_px
        large = (self.size[0] * SMOOTHING, self.size[1] * SMOOTHING)
        self._canvas = pygame.Surface(large, depth=32)
        self._small = pygame.Surface(self.size, depth=32)
        pygame.font.init()
        self._font = pygame.font.Font(None, 24)
        self._shades = _shades()
        self._lane_of: IntArray = np.concatenate([np.arange(network.n_lanes), network.link_from_lane])
        self._links = np.flatnonzero(
            np.isin(network.movement_intersection[network.link_movement], core.plan.intersection)
        )
        self._lanes = np.unique(network.link_from_lane[self._links])
        self._stop_lines = self._on_canvas(self._bars(self._lanes))
        self._roads = self._draw_roads()

    def array(self, replica: int = 0) -> ByteArray:
        """The picture as (H, W, 3) uint8, a new array."""
        surface = self.draw(replica)
        width, height = self.size
        flat = np.frombuffer(self._pygame.image.tobytes(surface, "RGB"), np.uint8)
        return flat.reshape(height, width, 3).copy()

    def draw(self, replica: int = 0) -> pygame.Surface:
        """The picture as a surface, the same one every time."""
        self._canvas.blit(self._roads, (0, 0))
        self._draw_signals(replica)
        standing, running = self._draw_vehicles(replica)
        self._pygame.transform.smoothscale(self._canvas, self.size, self._small)
        self._draw_header(running, standing)
        return self._small

    def vehicle_px(self, replica: int = 0) -> FloatArray:
        """(n, 2) where on the picture the middle of each vehicle is, x to the right and y down."""
        return self._vehicle_corners(replica).mean(axis=1) / SMOOTHING

    def _draw_roads(self) -> pygame.Surface:
        """Kerbs, lanes, junctions and the lines between both directions: what never changes."""
        network, paths, pygame = self._core.network, self._paths, self._pygame
        large = pygame.Surface([side * ROAD_SMOOTHING for side in self._canvas.get_size()], depth=32)
        large.fill(GROUND)
        for share, colour in ((1.15, KERB), (LANE_SHARE, ASPHALT)):
            for lane in range(network.n_lanes):
                self._fill(large, colour, paths.band(lane, self._lane_width_m[lane] * share / 2))
            for junction in np.unique(network.movement_intersection):
                self._fill(large, colour, self._junction_outline(int(junction), share))
        for lane in network.road_lane_start[:-1]:
            left, _ = np.split(paths.band(int(lane), self._lane_width_m[lane] / 2), 2)
            pygame.draw.lines(large, MIDDLE_LINE, False, self._on_canvas(left) * ROAD_SMOOTHING, ROAD_SMOOTHING)
        return pygame.transform.smoothscale(large, self._canvas.get_size())

    def _junction_outline(self, junction: int, share: float) -> FloatArray:
        """(n, 2) m: around the mouths of all lanes that its links join."""
        network = self._core.network
        links = np.flatnonzero(network.movement_intersection[network.link_movement] == junction)
        mouths = []
        for lanes, at_end in ((network.link_from_lane[links], True), (network.link_to_lane[links], False)):
            for lane in np.unique(lanes):
                left, right = np.split(self._paths.band(int(lane), self._lane_width_m[lane] * share / 2), 2)
                mouths += [left[-1], right[0]] if at_end else [left[0], right[-1]]
        outline = np.array(mouths)
        aside = outline - outline.mean(axis=0)
        return outline[np.argsort(np.arctan2(aside[:, 1], aside[:, 0]))]

    def _fill(self, surface: pygame.Surface, colour: Colour, outline: FloatArray) -> None:
        self._pygame.draw.polygon(surface, colour, self._on_canvas(outline) * ROAD_SMOOTHING)

    def _draw_signals(self, replica: int) -> None:
        """A line along every lane link that has green, a bar at every stop line."""
        network, pygame = self._core.network, self._pygame
        has_green = self._core.engine.green[replica, network.link_movement] > 0
        for link in self._links[has_green[self._links]]:
            line = self._on_canvas(self._paths.points_of(network.n_lanes + int(link)))
            pygame.draw.lines(self._canvas, SIGNAL_GREEN, False, line, SMOOTHING)
        goes = np.isin(self._lanes, network.link_from_lane[has_green])
        for bar, is_green in zip(self._stop_lines, goes, strict=True):
            pygame.draw.polygon(self._canvas, SIGNAL_GREEN if is_green else SIGNAL_RED, bar)

    def _bars(self, lanes: IntArray) -> FloatArray:
        """(n, 4, 2) m: a bar across the end of each lane."""
        network = self._core.network
        end, heading, _ = self._paths.at(lanes, network.lane_length_m[lanes])
        depth_m = max(STOP_LINE_M, THINNEST_STOP_LINE_PX / self._place.scale)
        return rectangles(end, heading, np.full(len(lanes), depth_m), self._lane_width_m[lanes] * LANE_SHARE)

    def _draw_vehicles(self, replica: int) -> tuple[int, int]:
        """Everybody as a rectangle; returns how many stand on lanes and how many there are."""
        engine, network = self._core.engine, self._core.network
        now = self._core.positions(replica)
        types = engine.statics.types.reshape(-1, N_COLUMNS)[engine.trips.kind[replica, now.trip]]
        lane = self._lane_of[now.drivable]
        free = np.minimum(network.lane_speed_limit_mps[lane], types[:, MAX_SPEED])
        shade = np.ceil(np.clip(now.speed / free, 0.0, 1.0) * (_SHADES - 1)).astype(int)
        is_standing = now.speed < HALTED_BELOW_MPS
        shade[is_standing] = 0
        polygon = self._pygame.draw.polygon
        corners = self._vehicle_corners(replica)
        for outline, number in zip(corners.tolist(), shade.tolist(), strict=True):
            polygon(self._canvas, self._shades[number], outline)
        return int(np.count_nonzero(is_standing & (now.drivable < network.n_lanes))), len(now.trip)

    def _vehicle_corners(self, replica: int) -> FloatArray:
        """(n, 4, 2) on the canvas."""
        engine = self._core.engine
        now = self._core.positions(replica)
        types = engine.statics.types.reshape(-1, N_COLUMNS)[engine.trips.kind[replica, now.trip]]
        front, heading, stretch = self._paths.at(now.drivable, now.distance)
        length_m = types[:, LENGTH] * np.minimum(stretch, 1.0)
        width_m = self._lane_width_m[self._lane_of[now.drivable]] * VEHICLE_SHARE
        return self._on_canvas(rectangles(front, heading, length_m, width_m))

    def _on_canvas(self, xy: FloatArray) -> FloatArray:
        return self._place.to_px(xy) * SMOOTHING

    def _draw_header(self, running: int, standing: int) -> None:
        """One line: what, when, how many, and what the colours mean."""
        minutes, seconds = divmod(self._core.time_s, 60)
        hours, minutes = divmod(minutes, 60)
        facts = f"{hours}:{minutes:02d}:{seconds:02d}    {running} vehicles    {standing} waiting"
        x = self._write(self._title, MARGIN_PX, TEXT)
        self._write(facts, x + 24, QUIET_TEXT)
        self._draw_legend()

    def _write(self, text: str, x: int, colour: Colour) -> int:
        """Write in the header at `x`; returns where the text ends."""
        image = self._font.render(text, True, colour)
        self._small.blit(image, (x, (HEADER_PX - image.get_height()) // 2))
        return x + int(image.get_width())

    def _draw_legend(self) -> None:
        """Colours by speed, at the right end of the header."""
        width, height, label_px = 99, 8, 34
        left = self.size[0] - MARGIN_PX - width - label_px
        for number, shade in enumerate(self._shades):
            step = width // _SHADES
            self._small.fill(shade, (left + number * step, (HEADER_PX - height) // 2, step, height))
        self._write("free", left + width + 6, QUIET_TEXT)
        text_px = self._font.size("standing")[0]
        self._write("standing", left - text_px - 6, QUIET_TEXT)


def import_pygame() -> ModuleType:
    """pygame, without its greeting.

    Raises
    ------
    ImportError
        If it is not installed, with what to do about it.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        return import_module("pygame")
    except ImportError as error:
        raise ImportError('rendering needs pygame: pip install "intergreen[render]"') from error


def _shades() -> list[Colour]:
    """Colours from standing to free flow."""
    at = np.linspace(0.0, 1.0, _SHADES)
    channels = [np.interp(at, (0.0, 0.5, 1.0), ends) for ends in zip(STANDING, SLOW, FREE, strict=True)]
    return [(int(r), int(g), int(b)) for r, g, b in zip(*channels, strict=True)]
