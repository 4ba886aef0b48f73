#!/usr/bin/env python3
"""Writes clip_prepare.h: clips as torchvision makes them of R'G'B' pictures, and colours as GStreamer makes them of Y'CbCr.

Run: python3 make_clip_prepare.py > clip_prepare.h   (made with torchvision 0.14.1, GStreamer 1.22.0)
"""
import math
import pathlib
import subprocess
import tempfile

import numpy
import torch
import torchvision.transforms.functional as F

NUMBERS = 48  # kept of each clip, evenly spread
MEAN, STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)

# (frames, height, width), (resized height, width), crop (top, left, height, width), antialias, flip,
# (brightness, contrast, saturation, hue), grey, blur
CASES = [
    ((1, 240, 320), (128, 171), (8, 30, 112, 112), False, False, (1, 1, 1, 0), False, 0),
    ((1, 240, 320), (128, 171), (8, 30, 112, 112), True, False, (1, 1, 1, 0), False, 0),
    ((2, 30, 41), (20, 26), (3, 5, 12, 14), False, True, (1.3, 0.7, 1.4, 0.1), False, 0),
    ((3, 33, 20), (11, 13), (0, 2, 11, 9), True, False, (0.6, 1.4, 0.5, -0.3), False, 0),
    ((2, 9, 7), (21, 20), (4, 1, 16, 17), True, True, (1, 1, 1, 0.5), False, 0),
    ((1, 16, 16), (16, 16), (0, 0, 16, 16), False, False, (0.9, 0, 2, 0), False, 0),
    ((2, 24, 18), (12, 12), (1, 2, 8, 8), False, False, (1.5, 1.2, 0.8, 0.02), True, 0),
    ((2, 30, 41), (20, 26), (3, 5, 12, 14), False, True, (1.3, 0.7, 1.4, 0.1), False, 0.75),
    ((1, 60, 80), (60, 80), (2, 3, 56, 72), False, False, (1, 1, 1, 0), False, 2),
    ((2, 24, 18), (12, 12), (1, 2, 8, 8), True, False, (1, 1.2, 0.8, 0), True, 1.25),
]


def pictures(frames, height, width):
    """Pixels that test_clip_prepare.c computes too."""
    t, y, x, c = numpy.ogrid[:frames, :height, :width, :3]
    return (37 * x + 91 * y + 53 * c + 29 * t + x * y) % 256


def clip(size, resized, crop, antialias, flip, colours, grey, blur):
    frames = torch.from_numpy(pictures(*size)).permute(0, 3, 1, 2).double() / 255
    frames = F.resize(frames, resized, antialias=antialias)
    frames = F.crop(frames, *crop)
    if flip:
        frames = F.hflip(frames)
    # One tall picture of all frames, so that contrast is about the clip's mean.
    tall = frames.permute(1, 0, 2, 3).reshape(3, -1, crop[3])
    brightness, contrast, saturation, hue = colours
    tall = F.adjust_brightness(tall, brightness)
    tall = F.adjust_contrast(tall, contrast)
    tall = F.adjust_saturation(tall, saturation)
    tall = F.adjust_hue(tall, hue)
    if grey:
        tall = F.rgb_to_grayscale(tall, 3)
    if blur:
        frames = tall.reshape(3, -1, *crop[2:]).permute(1, 0, 2, 3)
        frames = F.gaussian_blur(frames, 2 * math.ceil(3 * blur) + 1, blur)
        tall = frames.permute(1, 0, 2, 3).reshape(3, -1, crop[3])
    return F.normalize(tall, MEAN, STD).flatten()  # 3×T×H×W


def braces(values, form):
    return "{" + ", ".join(form(v) for v in values) + "}"


def write_clips():
    print(f"enum {{ GOLDEN_NUMBERS = {NUMBERS} }};\n")
    print("/* Number i is element i·(n − 1)/(GOLDEN_NUMBERS − 1), rounded down, of the clip's n in the order 3×T×H×W. */")
    print("static const struct {\n    int size[3];    /* frames, height, width */\n    int resized[2]; /* height, width */")
    print("    int crop[4];    /* top, left, height, width, after resizing */\n    gboolean antialias, flip;")
    print("    float colours[4]; /* brightness, contrast, saturation, hue */\n    gboolean grey;\n    float blur;")
    print("    double want[GOLDEN_NUMBERS];\n} golden_clips[] = {")
    for size, resized, crop, antialias, flip, colours, grey, blur in CASES:
        numbers = clip(size, resized, crop, antialias, flip, colours, grey, blur)
        kept = [float(numbers[i * (len(numbers) - 1) // (NUMBERS - 1)]) for i in range(NUMBERS)]
        integers = [braces(v, str) for v in (size, resized, crop)]
        flags = ["TRUE" if v else "FALSE" for v in (antialias, flip, grey)]
        floats = braces(colours, lambda v: f"{float(v)}F")
        print(f"    {{{', '.join(integers)}, {flags[0]}, {flags[1]}, {floats}, {flags[2]}, {float(blur)}F,")
        print(f"     {braces(kept, lambda v: f'{v:.7g}')}}},")
    print("};\n")


WIDTH, HEIGHT = 13, 9


def ycc():
    """Odd sizes. Chroma in multiples of 8, so that GStreamer's own rounding of interpolated chroma does not enter."""
    y, x = numpy.mgrid[:HEIGHT, :WIDTH]
    luma = 30 + (x * 11 + y * 17 + x * y % 7 * 6) % 190
    y, x = numpy.mgrid[: (HEIGHT + 1) // 2, : (WIDTH + 1) // 2]
    cb, cr = 128 + 40 * numpy.sin(x * 0.9 + y * 0.5), 128 + 40 * numpy.cos(x * 0.7 - y * 0.8)
    return [p.astype(numpy.uint8) for p in (luma, cb // 8 * 8, cr // 8 * 8)]


def i420(planes):
    """GStreamer's I420: rows of a multiple of 4 bytes, an even number of luma rows."""
    data = b""
    for i, plane in enumerate(planes):
        rows, columns = plane.shape
        padded = numpy.zeros((rows + (rows % 2 if i == 0 else 0), (columns + 3) // 4 * 4), numpy.uint8)
        padded[:rows, :columns] = plane
        data += padded.tobytes()
    return data


def gstreamer(planes, full, matrix, rest):
    """R'G'B' in units of 1/65535: the path of 16 bits, since that of 8 bits repeats chroma instead of interpolating."""
    data = i420(planes)
    with tempfile.TemporaryDirectory() as folder:
        source, sink = pathlib.Path(folder, "in"), pathlib.Path(folder, "out")
        source.write_bytes(data)
        size = f"width={WIDTH},height={HEIGHT},framerate=1/1"
        subprocess.run(
            ["gst-launch-1.0", "-q", "filesrc", f"location={source}", f"blocksize={len(data)}", "!",
             f"video/x-raw,format=I420,{size},chroma-site=mpeg2,colorimetry={1 if full else 2}:{matrix}:{rest}", "!",
             "videoconvert", "dither=none", "!", f"video/x-raw,format=RGBA64_LE,colorimetry=1:1:{rest}", "!",
             "filesink", f"location={sink}"], check=True)
        return numpy.fromfile(sink, "<u2").reshape(HEIGHT, WIDTH, 4)[..., :3]


def write_colours():
    planes = ycc()
    print(f"enum {{ GOLDEN_WIDTH = {WIDTH}, GOLDEN_HEIGHT = {HEIGHT} }};\n")
    print("/* Planes Y, Cb, Cr without padding. */")
    print(f"static const guint8 golden_i420[] = {braces(numpy.concatenate([p.flatten() for p in planes]), str)};\n")
    print("/* H×W×3, 65535 = 1. */")
    print("static const struct {\n    MaxglColorMatrix matrix;\n    gboolean full_range;")
    print("    guint16 want[GOLDEN_HEIGHT * GOLDEN_WIDTH * 3];\n} golden_colours[] = {")
    for name, matrix, rest in (("BT601", 4, "16:4"), ("BT709", 3, "5:1")):
        for full in (False, True):
            values = gstreamer(planes, full, matrix, rest).flatten()
            print(f"    {{MAXGL_MATRIX_{name}, {'TRUE' if full else 'FALSE'}, {braces(values, str)}}},")
    print("};")


print("/* torchvision's and GStreamer's numbers, written by make_clip_prepare.py. */")
write_clips()
write_colours()
