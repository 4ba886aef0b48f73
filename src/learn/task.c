#include "learn/task.h"

const MaxglTask *maxgl_task_of(const MaxglRecipe *recipe)
{
    static const MaxglTask *const tasks[] = {
        [MAXGL_TASK_MAXGL] = &maxgl_pretrain_task, [MAXGL_TASK_RECOGNITION] = &maxgl_recognition_task};
    return tasks[recipe->train.task];
}
