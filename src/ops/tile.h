/* The tile of a matrix product through local memory: cl/tile.clh. */
#ifndef MAXGL_OPS_TILE_H
#define MAXGL_OPS_TILE_H

#include "compute/sequence.h"
#include "ops/work.h"

/** A matrix product, or @batch products of the same size in one launch. */
typedef struct {
    gsize rows, columns, depth;
    gsize batch;
} MaxglProduct;

/** A tile and what is known of the device it runs on; the parameters of tuning, see maxgl_tile_choose(). */
typedef struct {
    int tm, tn, tk, wm, wn, buffers, unroll, registers;
    int groups, items;
} MaxglTile;

/** What a kernel that works with tiles wants. */
typedef struct {
    const char *kernel;            /**< whose parameters the tuning database is asked for */
    const char *fallback;          /**< whose parameters apply where that has none; or NULL */
    const char *shape;             /**< what the entries' shapes are matched with */
    gboolean cuts_depth;           /**< the launch is filled by cutting the sums, not by smaller tiles */
    gsize depth_ints, column_ints; /**< local memory besides the operands: ints for each of TK, of TN */
} MaxglTileUse;

/**
 * The tile for a product: the tuning database's,
 *
 *   TM, TN, TK  rows, columns and depth of a work-group's tile; powers of two
 *   WM, WN      rows and columns of a work-item's part of it; powers of two, at least 4
 *   BUFFERS     1 or 2 copies of the tile in local memory
 *   UNROLL      steps of depth written out in the inner loop
 *   REGISTERS   NVIDIA's platform: the most a work-item may have; Intel's: 256 gives each thread so many, and
 *               a compute unit half the threads; 0 leaves it to the compiler
 *   GROUPS      work-groups that fill the device: with fewer, tiles are halved, or the sum is cut
 *   ITEMS       the fewest work-items in a group that halving may lead to
 *
 * made smaller where local memory, few rows or few groups ask for it. MAXGL_ERROR_FORMAT if the parameters
 * make no tile.
 */
gboolean maxgl_tile_choose(MaxglContext *context, const MaxglTileUse *use, const MaxglProduct *product,
                           MaxglTile *tile, GError **error);

/** Work-groups of a product. */
gsize maxgl_tile_groups(const MaxglTile *tile, const MaxglProduct *product);

/** What the device's compiler is told of REGISTERS, after a space, or ""; caller frees. */
char *maxgl_tile_register_option(int registers, const MaxglDeviceInfo *device);

/** "-DTM=64 …"; caller frees. */
char *maxgl_tile_options(const MaxglTile *tile, const MaxglDeviceInfo *device);

/** Work-items and work-groups of a launch: dimension 0 walks along rows, 1 along columns, 2 has @parts. */
MaxglLaunch maxgl_tile_launch(const MaxglTile *tile, const MaxglProduct *product, gsize parts);

/** What a product asks of the device, all but its bytes; @parts: what the sum is cut into. */
MaxglWork maxgl_tile_work(const MaxglTile *tile, const MaxglProduct *product, gsize parts);

/** How a sum is cut: into @parts parts of @steps tiles' depths each, the last perhaps shorter. */
typedef struct {
    gsize parts, steps;
} MaxglCut;

/** As many parts as fill the device, none too short. */
MaxglCut maxgl_tile_cut(const MaxglTile *tile, const MaxglProduct *product);

#endif
