/* A recipe whose steps take milliseconds, on videos in memory. */
#ifndef MAXGL_TESTS_TINY_H
#define MAXGL_TESTS_TINY_H

#define TINY                                                                                                 \
    "-s", "network.name=r3d-vcop", "-s", "network.width=0.0625", "-s", "clip.frames=4", "-s",                \
        "clip.stride=1", "-s", "clip.size=16", "-s", "objective.hidden=16", "-s", "objective.regions=1,1,1", \
        "-s", "train.batch=4", "-s", "train.optimizer=adam", "-s", "train.log_every=2", "--data",            \
        "synth:videos=26,test=0,test_new=0,width=16,height=16,frames=8"

#endif
