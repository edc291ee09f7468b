# Questions about the demo's scenes.
answers = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "yes", "no"]
asked = [
    dict(type="simmim_bench.LoadImage"),
    # no flip and no crop: questions ask how many and where
    dict(type="Resize", scale=(96, 96), interpolation="bicubic"),
    dict(type="PackInputs", algorithm_keys=("question", "question_type")),
]
train_dataloader = dict(
    batch_size=100,
    num_workers=0,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.QuestionsDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/coco",
        ann_file="annotations/vqa_annotations_train2017.json",
        question_file="annotations/vqa_questions_train2017.json",
        image_file="annotations/captions_train2017.json",
        data_prefix=dict(img_path="train2017"),
        answers=answers,
        pipeline=asked,
    ),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.QuestionsDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/coco",
        ann_file="annotations/vqa_annotations_val2017.json",
        question_file="annotations/vqa_questions_val2017.json",
        image_file="annotations/captions_val2017.json",
        data_prefix=dict(img_path="val2017"),
        answers=answers,
        test_mode=True,
        pipeline=asked,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type="simmim_bench.AnswerAccuracy",
    training_file="{{$SIMMIM_BENCH_DATA:data}}/demo/coco/annotations/vqa_annotations_train2017.json",
)
test_evaluator = val_evaluator
