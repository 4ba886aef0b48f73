/* write_model OUT: a small network's file, for programs that want a model to open. */
#include "model_file.h"

int main(int argc, char **argv)
{
    g_autoptr(MaxglResnet) resnet = argc == 2 ? model_file_network("hara-r3d10@0.0625", 0) : NULL;
    if (!resnet)
        return 2;
    model_file_write(argv[1], resnet, MAXGL_NAMING_HARA, "", NULL);
    return 0;
}
